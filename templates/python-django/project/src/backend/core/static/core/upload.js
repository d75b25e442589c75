// Sends the form of an upload through the API, which answers in words, and shows how far it is. Without this file the form
// is sent as any other.
const form = document.querySelector("form[data-upload]");
const bar = form.querySelector("progress");
const told = form.querySelector("[data-told]");
const cancel = form.querySelector("[data-cancel]");
const send = form.querySelector("[data-send]");
let request;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const file = form.elements.file.files[0];
  const most = Number(form.dataset.most);
  if (file.size > most) return tell(`The file has ${size(file.size)}, and at most ${size(most)} are taken.`, true);
  const fields = new FormData(form);
  if (!fields.get("name").trim()) fields.delete("name");
  fields.delete("csrfmiddlewaretoken");
  request = new XMLHttpRequest();
  request.open("POST", form.dataset.upload);
  request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
  request.upload.onprogress = ({ loaded, total }) => progress(loaded, total);
  request.onload = () => finish(request);
  request.onerror = () => tell("The connection broke. Nothing was kept: try again.", true);
  request.onabort = () => tell("Cancelled. Nothing was kept.", true);
  request.send(fields);
  sending(true);
});

cancel.addEventListener("click", () => request?.abort());

function progress(loaded, total) {
  bar.max = total;
  bar.value = loaded;
  const percent = Math.floor((100 * loaded) / total);
  told.textContent = loaded < total ? `${percent} % of ${size(total)} sent` : "All is sent, and is being checked …";
}

function finish({ status, responseText }) {
  let answer = {};
  try {
    answer = JSON.parse(responseText);
  } catch {
    // A proxy in between answers with a page of its own.
  }
  if (status === 202) location.assign(`${form.dataset.next}${answer.id}/`);
  else if (status === 401) tell("You are not signed in any more. Sign in in another tab, then send it again.", true);
  else if (status === 413 && !answer.detail) tell("The file is larger than the server takes.", true);
  else {
    const fields = (answer.errors ?? []).map(({ field, message }) => `${field}: ${message}`);
    tell([answer.detail ?? `The server answered with ${status}. Try again later.`, ...fields].join(" "), true);
  }
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
