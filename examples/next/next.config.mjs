// For a site below a path: BASE_PATH=/photos next build. Pages need it for the addresses of their own files.
const basePath = process.env.BASE_PATH ?? "";

export default {
  basePath,
  env: { NEXT_PUBLIC_BASE_PATH: basePath },
  // A server of its own folder, as images for containers have. It is not needed for ijepa.
  output: "standalone",
};
