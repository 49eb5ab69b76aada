/** A Worker: answers a photo with the digest of the demo model's features. The model comes from the binding MODEL. */
import { isIJepaError, loadImage, pipeline } from "ijepa/worker";

export default {
  async fetch(request, { MODEL }) {
    const { pathname, searchParams } = new URL(request.url);
    const options = Object.fromEntries(searchParams);
    if (options.threads !== undefined && options.threads !== "auto") options.threads = Number(options.threads);
    const photo = await request.arrayBuffer();
    try {
      if (pathname === "/path") return Response.json(await loadImage("photo.jpg"));
      if (pathname === "/nothing") return Response.json(await pipeline("image-feature-extraction"));
      const extract = await pipeline("image-feature-extraction", "http://model/", { ...options, fetch: (...args) => MODEL.fetch(...args) });
      const { numerics } = await extract(photo);
      await extract.dispose();
      return Response.json({ digest: numerics.digest, device: extract.model.deviceDescription });
    } catch (error) {
      if (!isIJepaError(error)) throw error;
      return Response.json({ code: error.code, message: error.message }, { status: 500 });
    }
  },
};
