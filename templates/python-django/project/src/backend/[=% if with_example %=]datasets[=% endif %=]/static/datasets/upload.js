// Sends the file of an upload in parts, and shows how far it is. A part that breaks off is sent again, and whoever chooses
// the same file once more, even in another tab, goes on where it was. Without this file the form is sent as any other.
const form = document.querySelector("form[data-upload]");
const bar = form.querySelector("progress");
const told = form.querySelector("[data-told]");
const cancel = form.querySelector("[data-cancel]");
const send = form.querySelector("[data-send]");
// Between attempts, when nothing gets through.
const pauses = [1, 2, 5, 10, 20];
let request;
let cancelled;
let wake;

class Broken extends Error {}
class Refused extends Error {}
// What had come of the file was removed meanwhile, such as by a rule of the bucket.
class Gone extends Refused {}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = form.elements.file.files[0];
  const most = Number(form.dataset.most);
  if (file.size > most) return tell(`The file has ${size(file.size)}, and at most ${size(most)} are taken.`, true);
  sending(true);
  try {
    const { id } = await upload(file);
    location.assign(`${form.dataset.next}${id}/`);
  } catch (error) {
    tell(error instanceof Broken ? "The connection broke. Upload the same file again to go on." : error.message, true);
  }
});

cancel.addEventListener("click", () => {
  cancelled = true;
  request?.abort();
  wake?.();
});

async function upload(file) {
  cancelled = false;
  try {
    return await sendAll(file);
  } catch (error) {
    if (!(error instanceof Gone)) throw error;
    return sendAll(file);
  }
}

async function sendAll(file) {
  let known = await patiently(() => ask("POST", form.dataset.upload, fieldsOf(file)));
  const path = `${form.dataset.upload}/${known.id}`;
  try {
    while (known.missing.length) {
      let sent = known.received;
      for (const part of known.missing) {
        await patiently(() => sendPart(part, file, sent));
        sent += part.bytes;
      }
      known = await patiently(() => ask("GET", path));
    }
    progress(file.size, file.size);
    return await patiently(() => ask("POST", `${path}/finish`));
  } catch (error) {
    if (cancelled) await ask("DELETE", path).catch(() => {});
    throw cancelled ? new Refused("Cancelled. Nothing was kept.") : error;
  }
}

function fieldsOf(file) {
  return {
    team_id: form.elements.team_id.value,
    name: form.elements.name.value.trim() || null,
    file_name: file.name,
    size: file.size,
    fingerprint: `${file.size} ${file.lastModified}`,
  };
}

async function patiently(attempt) {
  for (const pause of pauses) {
    try {
      return await attempt();
    } catch (error) {
      if (cancelled || !(error instanceof Broken)) throw error;
      told.textContent = "The connection broke, and is tried again …";
      await new Promise((resolve) => setTimeout((wake = resolve), pause * 1000));
    }
  }
  return attempt();
}

async function ask(method, path, body) {
  const text = await exchange(method, path, body && JSON.stringify(body), { "Content-Type": "application/json" });
  return text ? JSON.parse(text) : null;
}

function sendPart({ first, bytes, url }, file, before) {
  const piece = file.slice(first, first + bytes);
  return exchange("PUT", url, piece, {}, ({ loaded }) => progress(before + loaded, file.size));
}

function exchange(method, url, body, headers, onprogress) {
  if (cancelled && method !== "DELETE") throw new Refused("Cancelled.");
  return new Promise((resolve, reject) => {
    request = new XMLHttpRequest();
    request.open(method, url);
    // A bucket has an address of its own, and is told neither.
    if (url.startsWith("/")) {
      request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    }
    if (onprogress) request.upload.onprogress = onprogress;
    request.onload = ({ target: { status, responseText } }) =>
      status < 300 ? resolve(responseText) : reject(reasonOf(status, responseText));
    request.onerror = request.onabort = request.ontimeout = () => reject(new Broken());
    request.send(body);
  });
}

function reasonOf(status, text) {
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    // A proxy in between answers with a page of its own.
  }
  if (status >= 500) return new Broken();
  if (status === 401) return new Refused("You are not signed in any more. Sign in in another tab, then send it again.");
  if (status === 413 && !answer.detail) return new Refused("The file is larger than the server takes.");
  const fields = (answer.errors ?? []).map(({ field, message }) => `${field}: ${message}`);
  const Reason = status === 404 ? Gone : Refused;
  return new Reason([answer.detail ?? `The server answered with ${status}. Try again later.`, ...fields].join(" "));
}

function progress(loaded, total) {
  bar.max = total;
  bar.value = loaded;
  const percent = Math.floor((100 * loaded) / total);
  told.textContent = loaded < total ? `${percent} % of ${size(total)} sent` : "All is sent, and is being checked …";
}

function tell(text, failed) {
  sending(false);
  told.textContent = text;
  told.classList.toggle("error", failed);
}

function sending(now) {
  send.disabled = now;
  bar.hidden = cancel.hidden = !now;
  told.className = "";
  if (now) told.textContent = "Sending …";
}

function size(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  const unit = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  return `${(bytes / 1024 ** unit).toFixed(unit ? 1 : 0)} ${units[unit]}`;
}
