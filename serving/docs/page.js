"use strict";
// Builds the page from /openapi.json. Every text goes in through textContent: none is markup.

function make(tag, text, attributes) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = String(text);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  return element;
}

function append(parent, ...children) {
  for (const child of children) if (child) parent.appendChild(child);
  return parent;
}

function nameOf(reference) {
  return reference.split("/").pop();
}

// A short text for a schema: "integer, 1 to 100", "list of ItemKind".
function typeText(schema) {
  if (!schema) return "";
  if (schema.$ref) return nameOf(schema.$ref);
  const options = schema.anyOf || schema.oneOf;
  if (options) return options.map(typeText).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
  if (schema.type === "array") return "list of " + typeText(schema.items);
  let text = schema.format || schema.type || "any";
  if (schema.minimum !== undefined && schema.maximum !== undefined) {
    text += ", " + schema.minimum + " to " + schema.maximum;
  } else if (schema.minimum !== undefined) {
    text += ", at least " + schema.minimum;
  }
  if (schema.maxLength !== undefined) text += ", at most " + schema.maxLength + " characters";
  if (schema.default !== undefined && schema.default !== null) {
    text += "; default " + JSON.stringify(schema.default);
  }
  return text;
}

function table(headings, rows) {
  const head = make("tr");
  for (const heading of headings) append(head, make("th", heading, { scope: "col" }));
  const result = append(make("table"), append(make("thead"), head));
  const body = make("tbody");
  for (const row of rows) {
    const line = make("tr");
    for (const cell of row) append(line, append(make("td"), cell));
    append(body, line);
  }
  return append(result, body);
}

function schemaLink(schema) {
  const target = schema && (schema.$ref || (schema.items && schema.items.$ref));
  if (!target) return make("code", typeText(schema));
  const link = make("a", typeText(schema), { href: "#schema-" + nameOf(target) });
  link.addEventListener("click", () => {
    document.getElementById("schema-" + nameOf(target)).open = true;
  });
  return link;
}

function exampleFor(schema, document_) {
  const content = schema && schema.$ref ? document_.components.schemas[nameOf(schema.$ref)] : schema;
  if (!content) return "{}";
  if (content.examples) return JSON.stringify(content.examples[0], null, 2);
  if (content.anyOf) return exampleFor(content.anyOf[0], document_);
  const example = {};
  for (const name of content.required || []) {
    const property = content.properties[name];
    example[name] = property.type === "array" ? [] : property.type === "integer" ? 0 : "";
  }
  return JSON.stringify(example, null, 2);
}

function address(path, fields) {
  const query = new URLSearchParams();
  let result = path;
  for (const { parameter, input } of fields) {
    if (parameter.in === "path") {
      result = result.replace("{" + parameter.name + "}", encodeURIComponent(input.value));
    } else if (input.value !== "") {
      const many = parameter.schema.type === "array";
      const values = many ? input.value.split(",") : [input.value];
      for (const value of values) query.append(parameter.name, value.trim());
    }
  }
  const text = query.toString();
  return text ? result + "?" + text : result;
}

async function send(method, path, fields, body, output) {
  const headers = {};
  const key = document.getElementById("key").value;
  if (key) headers["Authorization"] = "Bearer " + key;
  if (body) headers["Content-Type"] = "application/json";
  const target = address(path, fields);
  output.textContent = method + " " + target + "\n";
  try {
    const response = await fetch(target, { method, headers, body: body ? body.value : undefined });
    output.textContent += response.status + " " + response.statusText + "\n\n";
    const stream = (response.headers.get("content-type") || "").startsWith("text/event-stream");
    if (stream) return await follow(response, output);
    const text = await response.text();
    try {
      output.textContent += JSON.stringify(JSON.parse(text), null, 2);
    } catch (error) {
      output.textContent += text;
    }
  } catch (error) {
    output.textContent += String(error);
  }
}

// Shows what a stream sends, at most its newest 20,000 characters.
async function follow(response, output) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    output.textContent = (output.textContent + value).slice(-20000);
  }
}

function form(method, path, operation, document_) {
  const result = make("form");
  const fields = [];
  const rows = [];
  for (const parameter of operation.parameters || []) {
    const id = operation.operationId + "-" + parameter.name;
    const hint = parameter.schema.type === "array" ? "several: separate with ," : "";
    const input = make("input", null, { id, placeholder: hint, autocomplete: "off" });
    if (parameter.required) input.required = true;
    fields.push({ parameter, input });
    const label = make("label", parameter.name + (parameter.required ? " *" : ""), { for: id });
    const about = append(make("div"), make("code", typeText(parameter.schema)));
    if (parameter.description) append(about, make("div", parameter.description, { class: "hint" }));
    rows.push([label, input, about]);
  }
  if (rows.length) append(result, make("h3", "Parameters"), table(["Name", "Value", "Takes"], rows));
  let body = null;
  if (operation.requestBody) {
    const schema = operation.requestBody.content["application/json"].schema;
    const id = operation.operationId + "-body";
    body = make("textarea", null, { id, spellcheck: "false" });
    body.value = exampleFor(schema, document_);
    append(result, append(make("h3"), make("label", "Body ", { for: id }), schemaLink(schema)), body);
  }
  const output = make("pre", null, { "aria-live": "polite" });
  output.hidden = true;
  append(result, make("button", "Send", { type: "submit" }));
  result.addEventListener("submit", (event) => {
    event.preventDefault();
    output.hidden = false;
    send(method.toUpperCase(), path, fields, body, output);
  });
  return append(make("div"), result, output);
}

function responses(operation) {
  const rows = Object.entries(operation.responses).map(([status, response]) => {
    const [kind, content] = Object.entries(response.content || {})[0] || [null, null];
    const shape = kind === "application/json" ? schemaLink(content.schema) : make("code", kind || "");
    return [make("code", status), make("span", response.description), shape];
  });
  return append(make("div"), make("h3", "Answers"), table(["Status", "Meaning", "Body"], rows));
}

function showOperation(method, path, operation, document_) {
  const summary = append(
    make("summary"),
    make("span", method.toUpperCase(), { class: "method" }),
    make("code", path),
    make("span", operation.summary, { class: "hint" }),
  );
  const inside = make("div");
  if (operation.description) append(inside, make("p", operation.description));
  append(inside, form(method, path, operation, document_), responses(operation));
  return append(make("details", null, { id: operation.operationId }), summary, inside);
}

function showSchema(name, schema) {
  const inside = make("div");
  if (schema.description) append(inside, make("p", schema.description));
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties || {}).map(([field, property]) => [
    make("code", field + (required.has(field) ? " *" : "")),
    schemaLink(property),
    make("span", property.description || ""),
  ]);
  if (rows.length) append(inside, table(["Field", "Type", "Meaning"], rows));
  else append(inside, make("code", typeText(schema)));
  const summary = append(make("summary"), make("code", name));
  return append(make("details", null, { id: "schema-" + name }), summary, inside);
}

function show(document_) {
  const main = document.getElementById("main");
  main.textContent = "";
  document.getElementById("title").textContent =
    document_.info.title + " " + document_.info.version + ": HTTP interface";
  document.getElementById("about").textContent = document_.info.description;
  for (const tag of document_.tags) {
    append(main, make("h2", tag.name), make("p", tag.description, { class: "hint" }));
    for (const [path, methods] of Object.entries(document_.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (operation.tags[0] === tag.name) {
          append(main, showOperation(method, path, operation, document_));
        }
      }
    }
  }
  append(main, make("h2", "Schemas"), make("p", "* required", { class: "hint" }));
  for (const name of Object.keys(document_.components.schemas).sort()) {
    append(main, showSchema(name, document_.components.schemas[name]));
  }
}

fetch("/openapi.json")
  .then((response) => response.json())
  .then(show)
  .catch((error) => {
    document.getElementById("main").textContent = "/openapi.json cannot be read: " + error;
  });
