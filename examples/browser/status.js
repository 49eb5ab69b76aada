/** A line that says what is going on, a progress bar and a button that stops. */

/**
 * @param elements { text, progress, stop }
 * @param stopped what is said of work that was stopped
 */
export function createStatus({ text, progress, stop }, stopped = "Stopped.") {
  /** @param state "done", "working" or "failed" */
  const say = (message, state = "done") => {
    text.textContent = message;
    text.dataset.state = state;
    progress.hidden = stop.hidden = state !== "working";
  };

  return {
    say,

    /** @param told { text, part }, part from 0 to 1; undefined where nobody knows */
    report({ text: message, part }) {
      say(message, "working");
      if (part === undefined) progress.removeAttribute("value");
      else progress.value = 100 * part;
    },

    /** The result of `work`; undefined where it fails, which is said until something else is tried. */
    async attempt(work) {
      if (text.dataset.state === "failed") say("");
      try {
        const result = await work();
        if (text.dataset.state === "working") say("");
        return result;
      } catch (error) {
        if (error.code === "aborted") say(stopped);
        else say(error.code === undefined || error.code === "unexpected" ? error.message : `${error.message} [${error.code}]`, "failed");
        return undefined;
      }
    },
  };
}
