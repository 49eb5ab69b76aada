"use client";
import { useEffect, useState } from "react";
import { pipeline } from "ijepa";

let extractor;

/** The digest of a photo; "?photo=cat.jpg" takes one of this site. */
async function digestOf(photo) {
  extractor ??= pipeline("image-feature-extraction", new URL("model", location.origin).href);
  const extract = await extractor;
  return (await extract(photo)).numerics.digest;
}

export default function Page() {
  const [digest, setDigest] = useState("");
  const show = (photo) => digestOf(photo).then(setDigest, (error) => setDigest(`${error.message} [${error.code}]`));
  useEffect(() => {
    const photo = new URL(location.href).searchParams.get("photo");
    if (photo !== null) void show(new URL(photo, location.origin).href);
  }, []);
  return (
    <main>
      <input type="file" accept="image/*" onChange={async ({ target }) => show(await target.files[0].arrayBuffer())} />
      <output>{digest}</output>
    </main>
  );
}
