/**
 * Scans QR codes in the page, by camera or from a picture. Nothing of the picture leaves the device.
 *
 * The browser's own BarcodeDetector is used where there is one, else jsQR (vendored).
 */

import { tell, text } from "/static/app.js";

const SIDE = 800; // a code that fills a fifth of the picture is still read
const form = document.getElementById("open-link");
const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });
const detector = await ownDetector();

async function ownDetector() {
  if (!("BarcodeDetector" in window)) return null;
  const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
  return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
}

/** Return the text of a code in a picture or a frame of video, or nothing. */
async function read(source, width, height) {
  const scale = Math.min(1, SIDE / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  if (detector) {
    const [found] = await detector.detect(canvas).catch(() => []);
    if (found) return found.rawValue;
  }
  const picture = context.getImageData(0, 0, canvas.width, canvas.height);
  return window.jsQR(picture.data, picture.width, picture.height)?.data;
}

function open(link) {
  form.querySelector("[name=link]").value = link;
  form.submit();
}

async function watch(video) {
  const media = navigator.mediaDevices;
  const stream = await media?.getUserMedia({ video: { facingMode: "environment" }, audio: false }).catch(() => null);
  if (!stream) return tell("no_camera");
  video.srcObject = stream;
  await video.play();
  const look = async () => {
    const link = video.videoWidth ? await read(video, video.videoWidth, video.videoHeight) : null;
    if (!link) return setTimeout(look, 120);
    document.getElementById("scan-state").textContent = text("found");
    for (const track of stream.getTracks()) track.stop();
    return open(link);
  };
  return look();
}

const video = document.getElementById("camera");
if (video) watch(video);

document.querySelector("[data-picture]")?.addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  const picture = await createImageBitmap(file).catch(() => null);
  const link = picture && (await read(picture, picture.width, picture.height));
  if (link) open(link);
  else tell("no_code");
});
