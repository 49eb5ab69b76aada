/** Registers the service worker, so that the page works without a network once it was used. */

const PATIENCE_MS = 5000;

/** Resolves when what the page loads from now on is kept; also where service workers are not to be had. */
export async function keepForOffline() {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("sw.js");
    if (navigator.serviceWorker.controller !== null) return;
    await new Promise((resolve) => {
      navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
      setTimeout(resolve, PATIENCE_MS);
    });
  } catch {
    // Private windows and the like: the page works, but only with a network.
  }
}
