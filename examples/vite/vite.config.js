// Only for threads: they need a page that is cross-origin isolated.
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default { server: { headers }, preview: { headers } };
