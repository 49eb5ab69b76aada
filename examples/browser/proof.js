/** The card with the digest: the recorded one, and the command that makes the same. */

const $ = (id) => document.getElementById(id);
/** Digests of the demo model that the package's tests hold every runtime to. */
const RECORDED = {
  "bf16 chelsea.png": "e6413807b169507f26332c54b233f12899a7625f4556a37510cc2bed96c24480",
  "bf16 rocket.jpg": "57a17efa9c4e61080e64df7cb24ad581504b82426f0c1d84e531b9b528ba3ab0",
  "fp32 chelsea.png": "ecf4dd6479a5563559820b05738b7a6af8266a3f0744d0d45a1206ad878f15fe",
  "fp32 rocket.jpg": "bb9f6064d5e0ba612cb8d7bb7216677240166762cb1aed867795b42c902900d2",
  "fp4 chelsea.png": "8826a5eb5321d3a2037de9704765cdaa5ff8e88f35cb0f34eb2add395567301e",
  "fp4 rocket.jpg": "25897059402c17b36df420c48c1fa5481aac8190aaab5de8d8af0252127e9697",
  "int4 chelsea.png": "6178dbe0a5e1bb0c0674d4e0306b0b8243a75b2853e8dcfec9371132b626f08d",
  "int4 rocket.jpg": "6401b84f0bc6c25cb76998f348ac46bb52a7565f0b03cd084a9e823ccaf362a4",
  "int8 chelsea.png": "cc5218beb129937ab2eb227426b6e857af0949dcd371f3d4080991ef67bdc1c4",
  "int8 rocket.jpg": "bda1f77747436a9ae61c18bb56fdc07c0c6238ab48700ff2e26ca8a78c167d2c",
  "nf4 chelsea.png": "42287c9b9c1abb955eba03f97745abf096f9b71a6824c5e3e1ce2520f6f3c3f8",
  "nf4 rocket.jpg": "c3c23409dbbff72c7d7d7bb72966910925f40220d4ecaea813a67d6fc617a1b7",
};

/** The digest of the photo with patches as trained, which are those of the command. */
export function showProof({ digest, dtype, name, model }) {
  if ($("digest").textContent !== digest) {
    tell($("badge"), "none", "");
    $("ways").hidden = true;
  }
  $("digest").textContent = digest;
  const recorded = model === undefined ? RECORDED[`${dtype} ${name}`] : undefined;
  tellRecorded($("recorded"), recorded, digest);
  const place = recorded === undefined ? name : `examples/photos/${name}`;
  const command = `ijepa embed ${place} --dtype ${dtype}${model === undefined ? "" : ` --model ${model}`}`;
  // Lines break between words, not within an option.
  $("command").replaceChildren(...command.split(/(?<= )/).map((word) => (word.startsWith("--") ? Object.assign(document.createElement("span"), { className: "whole", textContent: word }) : word)));
}

/** Beside a digest: whether it is the one that was recorded. @param recorded undefined where none was */
export function tellRecorded(output, recorded, digest) {
  const kind = recorded === undefined ? "none" : recorded === digest ? "same" : "different";
  tell(output, kind, { none: "", same: "✓ the recorded one", different: `DIFFERENT from the recorded ${recorded}` }[kind]);
}

/** @param state of a badge: "none", "working", "same", "different" or "absent" */
export function tell(output, state, text) {
  output.value = text;
  output.dataset.state = state;
}
