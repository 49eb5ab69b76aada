/** Calls a function when an AbortSignal is aborted. */

interface Listener {
  readonly acts: Set<() => void>;
  readonly all: () => void;
}

/** One listener for each signal: hosts warn of a leak if a signal has many listeners. */
const listeners = new WeakMap<AbortSignal, Listener>();

/**
 * Calls `act` when the signal is aborted; not for one that is aborted already.
 *
 * @returns removes the listener; may be called again
 */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (signal === undefined) return () => undefined;
  const { acts, all } = listeners.get(signal) ?? newListener(signal), own = (): void => act();
  if (acts.size === 0) signal.addEventListener("abort", all);
  acts.add(own);
  return () => {
    acts.delete(own);
    if (acts.size === 0) signal.removeEventListener("abort", all);
  };
}

function newListener(signal: AbortSignal): Listener {
  const acts = new Set<() => void>(), listener = { acts, all: () => acts.forEach((act) => act()) };
  listeners.set(signal, listener);
  return listener;
}
