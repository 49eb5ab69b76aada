/** The camera: components of its frames, live, on the CPU and on WebGPU side by side. */
import { createClient } from "./client.js";
import { hasWebgpu, settings } from "./settings.js";
import { createStatus } from "./status.js";
import { put } from "./view.js";

const $ = (id) => document.getElementById(id);
const DEVICES = [["wasm", "CPU"], ["webgpu", "WebGPU"]];
/** Milliseconds between frames that every device computes, whose digests are compared; and those that the rate is counted in. */
const SHARED_EVERY = 1000, WINDOW = 3000;
const SIZE = { width: { ideal: 640 }, height: { ideal: 480 } };

const status = createStatus({ text: $("camera-status"), progress: $("camera-progress"), stop: $("camera-cancel") });
/** What is under way: its stream, devices, how many frames were taken and compared. */
let session;

$("camera-start").addEventListener("click", start);
for (const id of ["camera-stop", "camera-cancel"]) $(id).addEventListener("click", stopCamera);
$("camera-opacity").addEventListener("input", cover);
cover();
$("camera-start").disabled = false;

/** Lets go of the camera and of what computed. */
export function stopCamera() {
  if (session === undefined) return;
  const { stream, ways } = session;
  session = undefined;
  stream?.getTracks().forEach((track) => track.stop());
  for (const { client } of ways) client.end();
  $("camera-video").srcObject = null;
  shown(false);
  status.say("The camera is off.");
}

async function start() {
  if (session !== undefined) return;
  const mine = (session = { stream: undefined, ways: [], taken: 0, sharedAt: 0, digests: new Map(), compared: 0, different: undefined });
  $("camera-start").disabled = true;
  $("camera-same").value = "";
  $("camera-same").dataset.state = "none";
  await status.attempt(async () => {
    try {
      await openCamera(mine);
      await Promise.all(DEVICES.map(([device, name]) => openWay(mine, device, name)));
    } catch (error) {
      if (session !== mine) return;
      stopCamera();
      throw error;
    }
    if (session !== mine) return;
    shown(true);
    status.say("");
    for (const way of mine.ways) void status.attempt(() => watch(mine, way));
  });
  $("camera-start").disabled = false;
}

async function openCamera(mine) {
  if (navigator.mediaDevices === undefined) throw new Error("Browsers give a camera only to pages that come by https, or from this machine.");
  status.report({ text: "Waiting for the camera: your browser asks whether this page may use it" });
  const stream = await navigator.mediaDevices.getUserMedia({ video: SIZE, audio: false }).catch((error) => {
    throw new Error(REFUSALS[error.name] ?? `The camera cannot be used: ${error.message}`);
  });
  if (session !== mine) return stream.getTracks().forEach((track) => track.stop());
  mine.stream = stream;
  stream.getVideoTracks()[0].addEventListener("ended", () => {
    if (session !== mine) return;
    stopCamera();
    status.say("The camera is gone. Is it still connected?", "failed");
  });
  const video = $("camera-video"), isFront = stream.getVideoTracks()[0].getSettings().facingMode !== "environment";
  video.srcObject = stream;
  await video.play();
  for (const frame of document.querySelectorAll("#camera .frame")) {
    frame.style.setProperty("--ratio", video.videoWidth / video.videoHeight);
    frame.dataset.mirrored = String(isFront);
  }
}

const NO_CAMERA = "There is no camera here.";
const REFUSALS = {
  NotAllowedError: "The camera was not allowed. Allow it for this page, in the browser's address bar or settings, then start again.",
  NotFoundError: NO_CAMERA,
  // Nothing is asked for that a camera might not have: WebKitGTK says so where there is none.
  OverconstrainedError: NO_CAMERA,
  NotReadableError: "The camera does not answer. Another program may be using it.",
};

/** Opens a device, or says in its place why it cannot be had; without the CPU nothing works. */
async function openWay(mine, device, name) {
  const box = document.querySelector(`#camera [data-device="${device}"]`), part = (which) => box.querySelector(`[data-part="${which}"]`);
  const lacks = (reason) => {
    box.dataset.lacking = String(reason !== undefined);
    part("rate").textContent = "";
    part("device").textContent = reason ?? "";
  };
  lacks();
  if (device === "webgpu" && !(await hasWebgpu())) return lacks("This browser has no adapter for it here.");
  const client = createClient("live.js"), chosen = settings(), threads = device === "wasm" ? chosen.threads : 1;
  const way = { name, client, part, times: [], due: undefined };
  mine.ways.push(way);
  try {
    await client.start();
    Object.assign(way, await client.call("open", { settings: { ...chosen, device, threads } }, status.report));
  } catch (error) {
    if (device === "wasm") throw error;
    mine.ways.splice(mine.ways.indexOf(way), 1);
    client.end();
    lacks(`It does not work here: ${error.message}`);
  }
  return undefined;
}

/** One frame after the other, as fast as the device computes them. */
async function watch(mine, way) {
  const finer = () => Number($("camera-grid").value);
  while (session === mine) {
    await new Promise(requestAnimationFrame);
    if (session !== mine) return;
    const frame = way.due ?? take(mine, way, finer());
    way.due = undefined;
    const seen = await way.client.call("see", { image: frame.image });
    if (session !== mine) return;
    showFrame(way, frame, seen);
    compare(mine, frame, way, seen.digest);
  }
}

/** As it is shown. */
function pictureOf(video) {
  const { videoWidth: width, videoHeight: height } = video, canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas;
}

/** The camera's picture now. Once a second it is one for all devices. */
function take(mine, { width, height }, finer) {
  const canvas = new OffscreenCanvas(width * finer, height * finer), context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage($("camera-video"), 0, 0, canvas.width, canvas.height);
  const frame = { number: mine.taken++, image: context.getImageData(0, 0, canvas.width, canvas.height), picture: pictureOf($("camera-video")) }, now = performance.now();
  if (mine.ways.length > 1 && now - mine.sharedAt > SHARED_EVERY && mine.ways.every(({ due }) => due === undefined)) {
    mine.sharedAt = now;
    mine.digests.set(frame.number, undefined);
    for (const way of mine.ways) way.due = frame;
  }
  return frame;
}

function showFrame({ part, times, deviceDescription }, { picture }, { map, milliseconds }) {
  const now = performance.now(), { width, height } = picture;
  Object.assign(part("photo"), { width, height }).getContext("2d").drawImage(picture, 0, 0);
  put(part("map"), map);
  times.push(now);
  while (now - times[0] > WINDOW) times.shift();
  const rate = times.length < 2 ? 1000 / milliseconds : ((times.length - 1) * 1000) / (now - times[0]);
  part("rate").textContent = `${rate.toFixed(rate < 10 ? 1 : 0)} frames a second`;
  part("device").textContent = `${milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`} a frame. ${deviceDescription}.`;
}

/** The digests of a frame that is for all. */
function compare(mine, { number }, { name }, digest) {
  if (!mine.digests.has(number) || mine.different !== undefined) return;
  const first = mine.digests.get(number);
  if (first === undefined) return mine.digests.set(number, { name, digest });
  if (first.name === name) return undefined;
  mine.digests.delete(number);
  mine.compared++;
  if (first.digest !== digest) mine.different = `DIFFERENT in frame ${number}: ${first.name} gives ${first.digest}, ${name} ${digest}. Please report this, with the name of the device.`;
  $("camera-same").dataset.state = mine.different === undefined ? "same" : "different";
  $("camera-same").value = mine.different ?? `The same in every bit: ${mine.compared} frame${mine.compared === 1 ? "" : "s"} that both computed.`;
  return undefined;
}

function cover() {
  for (const canvas of document.querySelectorAll('#camera [data-part="map"]')) canvas.style.opacity = $("camera-opacity").value / 100;
}

function shown(isOn) {
  $("camera-views").hidden = $("camera-stop").hidden = $("camera-tools").hidden = !isOn;
  $("camera-start").hidden = $("camera-empty").hidden = isOn;
}
