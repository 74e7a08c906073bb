// Money as text. No number arithmetic: an amount is digits, and the dot is put between them.

const SYMBOLS = { CNY: "¥" };
const FRACTION_DIGITS = { CNY: 2 };

/**
 * An amount for people, such as "¥1,299.00".
 * `amountText` is the server's own text ("1299.00"); where a view has none, it is made of `amount`, an integer of the
 * smallest unit.
 */
export function money({ amountText, amount, currency }) {
  const plain = amountText ?? plainText(amount, currency);
  const [whole, fraction] = String(plain).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const digits = fraction === undefined ? grouped : `${grouped}.${fraction}`;
  return SYMBOLS[currency] ? `${SYMBOLS[currency]}${digits}` : `${digits} ${currency ?? ""}`.trim();
}

/** Whether an amount, an integer of the smallest unit, is nothing. */
export function isNothing(amount) {
  return /^0+$/.test(String(amount));
}

function plainText(amount, currency) {
  const places = FRACTION_DIGITS[currency] ?? 0;
  const digits = String(amount ?? "0");
  if (places === 0) return digits;
  const padded = digits.padStart(places + 1, "0");
  return `${padded.slice(0, -places)}.${padded.slice(-places)}`;
}
