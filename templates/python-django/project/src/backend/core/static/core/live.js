// Keeps the part of a page with `data-live` current while something is in progress: it asks for the page again and takes
// over that part, until the part is no longer marked.
const EVERY = 2000;

async function look() {
  const part = document.querySelector("[data-live]");
  if (!part) return;
  if (!document.hidden) await refresh(part).catch(() => {}); // the network may come back
  setTimeout(look, EVERY);
}

async function refresh(part) {
  const answer = await fetch(location.href, { headers: { "X-Requested-With": "live" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = page.getElementById(part.id);
  if (!now || now.isEqualNode(part)) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.replaceWith(now);
  if (focused) document.getElementById(focused)?.focus();
}

setTimeout(look, EVERY);
