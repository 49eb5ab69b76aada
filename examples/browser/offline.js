/** Registers the service worker, so that the page works without a network once it was used. */

const PATIENCE_MS = 5000, RELOADED = "ijepa-reloaded";

/** Resolves when what the page loads from now on is kept; also where service workers are not to be had. */
export async function keepForOffline() {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("sw.js");
    if (navigator.serviceWorker.controller === null) {
      await new Promise((resolve) => {
        navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
        setTimeout(resolve, PATIENCE_MS);
      });
    }
    if (crossOriginIsolated || navigator.serviceWorker.controller === null || sessionStorage.getItem(RELOADED) !== null) return;
    // The host does not send the headers that threads need: the service worker does, from the next load on.
    sessionStorage.setItem(RELOADED, "true");
    location.reload();
    await new Promise(() => {});
  } catch {
    // Private windows and the like: the page works, but only with a network.
  }
}

/** Keeps what was not used yet: called when the page has nothing better to do. */
export function keepTheRest() {
  navigator.serviceWorker?.controller?.postMessage({ keep: true });
}
