// Reads queries as a JSON list, and prints what does not follow Trino's grammar as a JSON list.
import { readFileSync } from "node:fs";
import { register } from "node:module";

// The library is written for bundlers, so its imports name folders and files without their endings.
const hooks = `export async function resolve(name, context, next) {
  for (const ending of ["", ".js", "/index.js"]) {
    try {
      return await next(name + ending, context);
    } catch (fault) {
      if (ending === "/index.js") throw fault;
    }
  }
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const { TrinoSQL } = await import("dt-sql-parser");
const queries = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(queries.flatMap((query) => new TrinoSQL().validate(query))));
