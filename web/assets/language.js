// Runs before the first paint, so it is a plain script in the head and not a module. A reader who once chose the
// language that the server did not choose would otherwise see the page in one language and then in the other.
(function () {
  "use strict";
  try {
    var chosen = window.localStorage.getItem("paystream.language");
    if ((chosen === "en" || chosen === "zh") && chosen !== document.documentElement.lang) {
      document.documentElement.setAttribute("data-translating", "");
    }
  } catch (refused) {
    // A browser that refuses storage has no remembered choice; the server's stands.
  }
})();
