/**
 * A plugin of TypeDoc: guides get their first heading as title and are grouped by folder, modules are named as programs import them, and
 * every page links to the page to try.
 */
import { Converter, JSX, ReflectionKind } from "typedoc";

const GROUPS = [[/\/docs\/guides\//, "Guides"], [/\/docs\/decisions\//, "Decisions"], [/\/docs\//, "Reference"]];
const PAGE = "try/examples/browser/index.html";

export function load(app) {
  app.renderer.hooks.on("sidebar.begin", (context) =>
    JSX.createElement("a", { class: "try-it", href: context.relativeURL(PAGE) }, "Try it in this browser"),
  );
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    // The page has the package's name and version as its title already.
    const [start] = project.readme ?? [];
    if (start?.kind === "text") start.text = start.text.replace(/^# .+\n/, "");
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) module.name = module.name.replace(/^(ts-api\/src\/?|(?=weights-tools))/, "ijepa/").replace(/\/$/, "");
  });
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, document) => {
    const path = document.project.files.getReflectionPath(document) ?? "";
    document.frontmatter.group = GROUPS.find(([pattern]) => pattern.test(path))?.[1] ?? "Reference";
    const [first] = document.content;
    const heading = first?.kind === "text" ? /^\s*# (.+)\n/.exec(first.text) : null;
    if (heading === null) return;
    document.name = heading[1];
  });
}
