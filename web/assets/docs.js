// The API reader: the server's own description, made readable.
import { call } from "./api.js";
import { byId, make, show } from "./dom.js";
import { onLanguage, say, sayWords, startLanguage } from "./i18n.js";
import { complain } from "./notice.js";
import { Schemas, WRITTEN_IN, inline, limitsOf, prose } from "./docs-schema.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
const COPIED_MS = 1500;

let description = null;
let schemas = null;

startLanguage();
onLanguage(paintFilter);
byId("filter").addEventListener("input", paintFilter);
load();

async function load() {
  try {
    const { data } = await call("GET", "/openapi.json", { anonymous: true });
    description = data;
  } catch (problem) {
    complain(problem, load);
    return;
  }
  schemas = new Schemas(description);
  paint();
}

function paint() {
  sayWords(byId("api-title"), description.info?.title ?? "");
  byId("api-title").lang = WRITTEN_IN;
  sayWords(byId("api-version"), description.info?.version ?? "");
  byId("api-description").replaceChildren(prose(description.info?.description ?? ""));
  const groups = grouped();
  byId("contents").replaceChildren(...groups.map(contentsOf));
  byId("operations").replaceChildren(...groups.map(sectionOf));
  byId("operations").removeAttribute("aria-busy");
  byId("filter").disabled = false;
  paintFilter();
  // The browser looked for the address's target before it was here.
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

/** The operations by their first tag, in the order of the description's own list of tags. */
function grouped() {
  const groups = new Map((description.tags ?? []).map((tag) => [tag.name, { ...tag, operations: [] }]));
  for (const [path, item] of Object.entries(description.paths ?? {})) {
    for (const method of METHODS.filter((name) => item[name])) {
      const operation = item[method];
      const name = operation.tags?.[0] ?? "";
      if (!groups.has(name)) groups.set(name, { name, operations: [] });
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((parameter) => schemas.resolve(parameter));
      groups.get(name).operations.push({ ...operation, parameters, method, path, id: idOf(method, path) });
    }
  }
  return [...groups.values()].filter((group) => group.operations.length > 0);
}

function idOf(method, path) {
  return `${method}-${path.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "")}`;
}

function contentsOf(group) {
  const links = group.operations.map((operation) =>
    make(
      "li",
      { "data-operation": operation.id },
      make("a", { href: `#${operation.id}` }, badge(operation.method), make("span", { text: operation.path })),
    ),
  );
  return make("div", { class: "contents-group", "data-group": "" }, make("p", { class: "contents-title", lang: WRITTEN_IN, text: group.name }), make("ul", {}, ...links));
}

function sectionOf(group) {
  return make(
    "section",
    { class: "api-group", "data-group": "" },
    make("h2", { lang: WRITTEN_IN, text: group.name }),
    group.description ? prose(group.description) : null,
    ...group.operations.map(operationOf),
  );
}

function operationOf(operation) {
  return make(
    "article",
    { class: "operation card", id: operation.id, "data-operation": operation.id, "aria-labelledby": `${operation.id}-title` },
    make(
      "h3",
      { class: "operation-title", id: `${operation.id}-title` },
      badge(operation.method),
      make("code", { text: operation.path }),
    ),
    operation.summary ? make("p", { class: "operation-summary", lang: WRITTEN_IN, text: operation.summary }) : null,
    operation.description ? prose(operation.description) : null,
    access(operation),
    parametersOf(operation),
    requestOf(operation),
    curlOf(operation),
    responsesOf(operation),
  );
}

function badge(method) {
  return make("span", { class: `method method-${method}`, text: method.toUpperCase() });
}

function needsToken(operation) {
  const security = operation.security ?? description.security ?? [];
  return security.length > 0 && !security.some((choice) => Object.keys(choice).length === 0);
}

function access(operation) {
  return make("p", { class: "access", say: needsToken(operation) ? "docs.needs_token" : "docs.needs_nothing" });
}

function parametersOf(operation) {
  if (operation.parameters.length === 0) return null;
  const items = operation.parameters.map((parameter) =>
    make(
      "li",
      {},
      make(
        "div",
        { class: "member" },
        make("code", { class: "member-name", text: parameter.name }),
        make("span", { class: "type", lang: WRITTEN_IN, text: schemas.typeOf(parameter.schema ?? {}) }),
        make("span", { class: "place", text: parameter.in }),
        parameter.required ? make("span", { class: "required", say: "docs.required" }) : null,
      ),
      parameter.description ? prose(parameter.description) : null,
      limitsOf(schemas.whole(parameter.schema ?? {})),
    ),
  );
  return make("div", { class: "part" }, make("h4", { say: "docs.parameters" }), make("ul", { class: "members" }, ...items));
}

function requestOf(operation) {
  const body = schemas.resolve(operation.requestBody ?? null);
  const content = contentOf(body);
  if (!content) return null;
  return make(
    "div",
    { class: "part" },
    make("h4", { say: "docs.body" }),
    make("p", { class: "type", lang: WRITTEN_IN, text: `${content.type} · ${schemas.typeOf(content.schema ?? {})}` }),
    schemas.tree(content.schema ?? {}),
  );
}

function responsesOf(operation) {
  const items = Object.entries(operation.responses ?? {}).map(([status, reference], index) => {
    const response = schemas.resolve(reference);
    const content = contentOf(response);
    return make(
      "details",
      { class: "response", open: index === 0 },
      make(
        "summary",
        {},
        make("span", { class: `status status-${status[0]}`, text: status }),
        make("span", { lang: WRITTEN_IN }, ...inline(String(response.description ?? "").split("\n")[0])),
      ),
      content ? make("p", { class: "type", lang: WRITTEN_IN, text: `${content.type} · ${schemas.typeOf(content.schema ?? {})}` }) : null,
      content ? exampleBlock(content) : null,
      content ? folded("docs.members", schemas.tree(content.schema ?? {})) : null,
      folded("docs.headers", headersOf(response)),
    );
  });
  return items.length === 0 ? null : make("div", { class: "part" }, make("h4", { say: "docs.responses" }), ...items);
}

function headersOf(response) {
  const headers = Object.entries(response.headers ?? {}).map(([name, reference]) => {
    const header = schemas.resolve(reference);
    return make(
      "li",
      {},
      make("div", { class: "member" }, make("code", { class: "member-name", text: name }), make("span", { class: "type", lang: WRITTEN_IN, text: schemas.typeOf(header.schema ?? {}) })),
      header.description ? prose(header.description) : null,
    );
  });
  return headers.length === 0 ? null : make("ul", { class: "members" }, ...headers);
}

/** What is read once and then in the way. */
function folded(key, content) {
  return content === null ? null : make("details", { class: "fold" }, make("summary", { say: key }), content);
}

/** The first kind of content, JSON first, as `{type, schema, example, examples}`. */
function contentOf(part) {
  const kinds = Object.entries(part?.content ?? {});
  const found = kinds.find(([type]) => type.includes("json")) ?? kinds[0];
  return found ? { ...found[1], type: found[0] } : null;
}

/** The examples of a content as `{summary, value}`, those that it names or one that its schema allows. */
function examplesOf(content) {
  const named = Object.values(content.examples ?? {}).map((example) => schemas.resolve(example));
  if (named.length > 0) return named;
  const value = content.example ?? (content.schema ? schemas.example(content.schema) : undefined);
  return value === undefined ? [] : [{ value }];
}

function exampleBlock(content) {
  const [example] = examplesOf(content);
  if (example === undefined || !content.type.includes("json")) return null;
  return make("pre", { tabindex: "0" }, make("code", { text: JSON.stringify(example.value, null, 2) }));
}

/** A command line for the operation, one for each example of its body. */
function curlOf(operation) {
  const content = contentOf(schemas.resolve(operation.requestBody ?? null));
  const examples = content ? examplesOf(content) : [];
  const calls = examples.length > 0 ? examples : [{ value: content ? {} : undefined }];
  const blocks = calls.map((example) => commandBlock(curlLine(operation, content, example.value), calls.length > 1 ? example.summary : null));
  return make("div", { class: "part" }, make("h4", { say: "docs.try" }), ...blocks);
}

function commandBlock(line, name) {
  const copy = make("button", { class: "copy", type: "button", say: "docs.copy" });
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(line);
    say(copy, "docs.copied");
    setTimeout(() => say(copy, "docs.copy"), COPIED_MS);
  });
  return make(
    "div",
    { class: "command" },
    name ? make("p", { class: "example-name", lang: WRITTEN_IN, text: name }) : null,
    make("pre", { tabindex: "0" }, make("code", { text: line })),
    navigator.clipboard ? copy : null,
  );
}

function curlLine(operation, content, value) {
  const method = operation.method === "get" ? [] : [`-X ${operation.method.toUpperCase()}`];
  const token = needsToken(operation) ? [`-H "Authorization: Bearer $TOKEN"`] : [];
  const words = typeof value === "string" ? value : JSON.stringify(value);
  const body = content ? [`-H ${quoted(`Content-Type: ${content.type}`)}`, `-d ${quoted(words)}`] : [];
  return [["curl", ...method, quoted(addressOf(operation))].join(" "), ...token, ...body].join(" \\\n  ");
}

function addressOf(operation) {
  const valueOf = (parameter) => parameter.example ?? schemas.resolve(parameter.schema ?? {}).example ?? `{${parameter.name}}`;
  const path = operation.parameters
    .filter((parameter) => parameter.in === "path")
    .reduce((text, parameter) => text.replace(`{${parameter.name}}`, String(valueOf(parameter))), operation.path);
  const query = operation.parameters
    .filter((parameter) => parameter.in === "query" && parameter.required)
    .map((parameter) => `${parameter.name}=${valueOf(parameter)}`)
    .join("&");
  return `${location.origin}${path}${query ? `?${query}` : ""}`;
}

/** Quoted for a shell. */
function quoted(words) {
  return `'${String(words).replace(/'/g, `'\\''`)}'`;
}

function paintFilter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  for (const element of document.querySelectorAll("[data-operation]")) {
    const words = (document.getElementById(element.dataset.operation)?.textContent ?? "").toLowerCase();
    show(element, words.includes(wanted));
  }
  for (const group of document.querySelectorAll("[data-group]")) {
    show(group, group.querySelector("[data-operation]:not([hidden])") !== null);
  }
  show(byId("nothing-found"), wanted !== "" && document.querySelector("[data-operation]:not([hidden])") === null);
}
