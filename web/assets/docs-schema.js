// JSON Schemas of the API description: followed, shown as a tree, and turned into examples.
import { make } from "./dom.js";

/** Deeper than this nobody reads on. */
const DEEPEST = 12;

/** Reads one API description. */
export class Schemas {
  #document;

  constructor(document) {
    this.#document = document;
  }

  /** What a `$ref` of this document stands for, followed to its end. */
  resolve(value, depth = 0) {
    if (!value || typeof value !== "object" || typeof value.$ref !== "string" || depth > DEEPEST) return value ?? {};
    const { $ref: reference, ...beside } = value;
    const target = reference
      .replace(/^#\//, "")
      .split("/")
      .map((part) => decodeURIComponent(part).replace(/~1/g, "/").replace(/~0/g, "~"))
      .reduce((node, part) => node?.[part], this.#document);
    return { ...this.resolve(target, depth + 1), ...beside };
  }

  /** A schema with its `allOf` joined. */
  whole(schema, depth = 0) {
    const own = this.resolve(schema);
    if (!Array.isArray(own.allOf) || depth > DEEPEST) return own;
    const { allOf, ...rest } = own;
    return allOf.map((part) => this.whole(part, depth + 1)).reduce(joined, rest);
  }

  /** The type in words: "string · date-time", "array of Order", "a | b". */
  typeOf(schema, depth = 0) {
    const name = nameOf(schema);
    const own = this.whole(schema);
    const choices = own.oneOf ?? own.anyOf;
    if (choices && depth < DEEPEST) {
      return choices.map((choice) => this.typeOf(choice, depth + 1)).join(" | ");
    }
    if (own.enum) return own.enum.map((word) => JSON.stringify(word)).join(" | ");
    if (own.const !== undefined) return JSON.stringify(own.const);
    const types = [own.type ?? (own.properties ? "object" : "any")].flat();
    const words = types.map((type) => (type === "array" ? `array of ${this.typeOf(own.items ?? {}, depth + 1)}` : type));
    if (own.nullable && !types.includes("null")) words.push("null");
    const shown = name && types.includes("object") ? name : words.join(" | ");
    return own.format ? `${shown} · ${own.format}` : shown;
  }

  /** A list of the members, each with its own below it; null if the schema has none. `above`: the schemas it stands in. */
  tree(schema, above = []) {
    const within = entered(schema, above);
    if (within === null) return null;
    const own = this.whole(schema);
    const choices = own.oneOf ?? own.anyOf;
    if (choices) return this.#choices(choices, within);
    if (own.items) return this.tree(own.items, within);
    if (!own.properties) return null;
    const required = new Set(own.required ?? []);
    const members = Object.entries(own.properties).map(([name, member]) => this.#member(name, member, required.has(name), within));
    return make("ul", { class: "members" }, ...members);
  }

  #choices(choices, within) {
    const trees = choices.map((choice) => [choice, this.tree(choice, within)]).filter(([, tree]) => tree !== null);
    if (trees.length === 0) return null;
    if (trees.length === 1) return trees[0][1];
    const parts = trees.map(([choice, tree], index) => {
      const title = this.whole(choice).title ?? nameOf(choice) ?? `${index + 1}`;
      return make("details", { class: "choice", open: index === 0 }, make("summary", { text: title }), tree);
    });
    return make("div", { class: "choices" }, ...parts);
  }

  #member(name, schema, required, within) {
    const own = this.whole(schema);
    return make(
      "li",
      {},
      make(
        "div",
        { class: "member" },
        make("code", { class: "member-name", text: name }),
        make("span", { class: "type", lang: WRITTEN_IN, text: this.typeOf(schema) }),
        required ? make("span", { class: "required", say: "docs.required" }) : null,
      ),
      own.description ? prose(own.description) : null,
      limitsOf(own),
      this.tree(schema, within),
    );
  }

  /** A value that the schema allows, taken from its own examples where it has some. */
  example(schema, above = []) {
    const within = entered(schema, above);
    if (within === null) return null;
    const own = this.whole(schema);
    const given = own.example ?? own.examples?.[0] ?? own.const ?? own.default ?? own.enum?.[0];
    if (given !== undefined) return given;
    const choices = own.oneOf ?? own.anyOf;
    if (choices) return this.example(choices.find((choice) => this.whole(choice).type !== "null") ?? {}, within);
    const type = [own.type ?? (own.properties ? "object" : "string")].flat()[0];
    if (type === "object") {
      const members = Object.entries(own.properties ?? {}).map(([name, member]) => [name, this.example(member, within)]);
      return Object.fromEntries(members.filter(([, value]) => value !== null));
    }
    if (type === "array") return [this.example(own.items ?? {}, within)].filter((value) => value !== null);
    return plainExample(type, own.format);
  }
}

/** The schemas above and this one; null where one stands within itself or too many within each other. */
function entered(schema, above) {
  const name = nameOf(schema);
  if (above.length >= DEEPEST || (name !== null && above.includes(name))) return null;
  return [...above, name];
}

/** The language that the description is written in, whatever the page's. */
export const WRITTEN_IN = "en";

/** Text of the description: paragraphs, and `code` between back quotes. */
export function prose(words) {
  const paragraphs = String(words).trim().split(/\n\s*\n/);
  return make("div", { class: "prose", lang: WRITTEN_IN }, ...paragraphs.map((paragraph) => make("p", {}, ...inline(paragraph))));
}

/** The nodes of one paragraph. */
export function inline(paragraph) {
  return paragraph.split(/(`[^`]+`)/).map((part) => {
    return part.startsWith("`") && part.endsWith("`") && part.length > 2 ? make("code", { text: part.slice(1, -1) }) : part;
  });
}

function joined(whole, part) {
  return {
    ...part,
    ...whole,
    properties: part.properties || whole.properties ? { ...part.properties, ...whole.properties } : undefined,
    required: [...(part.required ?? []), ...(whole.required ?? [])],
  };
}

function nameOf(schema) {
  return typeof schema?.$ref === "string" ? schema.$ref.split("/").pop() : null;
}

/** What a schema says of a value's size and form, in one line; null if nothing. */
export function limitsOf(schema) {
  const limits = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "default"]
    .filter((limit) => schema[limit] !== undefined)
    .map((limit) => `${limit} ${JSON.stringify(schema[limit])}`);
  return limits.length === 0 ? null : make("p", { class: "limits", text: limits.join(" · ") });
}

function plainExample(type, format) {
  if (type === "integer" || type === "number") return 1;
  if (type === "boolean") return true;
  if (type === "null") return null;
  return format === "date-time" ? "2026-01-31T08:00:00Z" : "text";
}
