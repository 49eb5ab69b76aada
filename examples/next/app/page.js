"use client";
import { useEffect, useState } from "react";
import { pipeline } from "ijepa";

let extractor;

/** The address of a file of public/, which lies below the site's `basePath`. */
function addressOf(file) {
  return `${location.origin}${process.env.NEXT_PUBLIC_BASE_PATH}/${file}`;
}

/** The model, loaded at the first photo. After a failure the next photo tries again. */
function load() {
  extractor ??= pipeline("image-feature-extraction", addressOf("model")).catch((error) => {
    extractor = undefined;
    throw error;
  });
  return extractor;
}

/** The digest of a photo; "?photo=cat.jpg" takes one of public/. */
async function digestOf(photo) {
  const extract = await load();
  return (await extract(photo)).numerics.digest;
}

export default function Page() {
  const [digest, setDigest] = useState("");
  const show = (photo) => digestOf(photo).then(setDigest, (error) => setDigest(`${error.message} [${error.code}]`));
  useEffect(() => {
    const photo = new URL(location.href).searchParams.get("photo");
    if (photo !== null) void show(addressOf(photo));
  }, []);
  return (
    <main>
      <input type="file" accept="image/*" onChange={async ({ target }) => show(await target.files[0].arrayBuffer())} />
      <output>{digest}</output>
    </main>
  );
}
