// Pages that update by themselves: ask once a second whether anything changed, and swap only what
// did. Whatever is being typed stays: only [data-live] parts are touched, and no input stands in one.
"use strict";

const POLL_MILLISECONDS = 1000;
const COPIED_MILLISECONDS = 1600;

let shownVersion = document.body.dataset.version;

// What the server said each part looks like: the times in it are rewritten for the reader below,
// so the page itself cannot be compared.
const shownParts = new WeakMap();
for (const part of document.querySelectorAll("[data-live]")) {
  shownParts.set(part, part.innerHTML);
}

function wordsOf(row) {
  const copy = row.cloneNode(true);
  for (const time of copy.querySelectorAll("time[data-ago]")) {
    time.remove();
  }
  return copy.textContent;
}

function swap(part, fresh) {
  const known = new Map();
  for (const row of part.querySelectorAll("[data-row]")) {
    known.set(row.dataset.row, wordsOf(row));
  }
  const scrolled = new Map();
  for (const scroller of part.querySelectorAll("[data-scroll]")) {
    scrolled.set(scroller.dataset.scroll, [scroller.scrollLeft, scroller.scrollTop]);
  }
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const focusedLink = focused && focused.getAttribute("href");
  part.innerHTML = fresh.innerHTML;
  for (const scroller of part.querySelectorAll("[data-scroll]")) {
    [scroller.scrollLeft, scroller.scrollTop] = scrolled.get(scroller.dataset.scroll) || [0, 0];
  }
  for (const row of part.querySelectorAll("[data-row]")) {
    if (known.get(row.dataset.row) !== wordsOf(row)) {
      row.classList.add("fresh");
    }
  }
  if (focusedLink) {
    const again = part.querySelector(`[href="${CSS.escape(focusedLink)}"]`);
    if (again) {
      again.focus({ preventScroll: true });
    }
  }
}

async function update() {
  const reply = await fetch(window.location.href, { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const counterpart = fresh.getElementById(part.id);
    if (!counterpart || counterpart.innerHTML === shownParts.get(part)) {
      continue;
    }
    swap(part, counterpart);
    shownParts.set(part, counterpart.innerHTML);
  }
  writeTimesOfThisReader();
}

function say(words, lost) {
  const pulse = document.getElementById("pulse");
  pulse.textContent = words;
  pulse.classList.toggle("lost", lost);
}

async function look() {
  try {
    if (!document.hidden) {
      const reply = await fetch("/version", { cache: "no-store" });
      const version = (await reply.json()).version;
      if (version !== shownVersion) {
        await update();
        shownVersion = version;
        say(`Live · updated ${new Date().toLocaleTimeString()}`, false);
      } else if (document.getElementById("pulse").classList.contains("lost")) {
        say("Live", false);
      }
    }
  } catch {
    say("The sandbox does not answer; trying again", true);
  }
  window.setTimeout(look, POLL_MILLISECONDS);
}

function ago(seconds) {
  if (seconds < 5) {
    return "just now";
  }
  if (seconds < 60) {
    return `${Math.floor(seconds / 5) * 5} s ago`;
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ago`;
  }
  return null;
}

function writeTimesOfThisReader() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const words = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (words) {
      time.textContent = words;
    }
  }
}

// One person clicking twice in a hurry means one submission.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    return;
  }
  for (const button of event.target.querySelectorAll("button[type=submit]")) {
    window.setTimeout(() => {
      button.disabled = true;
    });
  }
});

// A page brought back by the browser's back button has its buttons again.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[type=submit][disabled]")) {
    button.disabled = false;
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) {
    return;
  }
  await navigator.clipboard.writeText(button.dataset.copy);
  const words = button.textContent;
  button.textContent = "Copied";
  window.setTimeout(() => {
    button.textContent = words;
  }, COPIED_MILLISECONDS);
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    writeTimesOfThisReader();
  }
});

// Of a row of tabs that is wider than the screen, the one that is open is shown.
const openTab = document.querySelector(".tabs [aria-current]");
if (openTab) {
  openTab.scrollIntoView({ block: "nearest", inline: "center" });
}

document.getElementById("pulse").hidden = false;
writeTimesOfThisReader();
window.setInterval(writeTimesOfThisReader, 5000);
window.setTimeout(look, POLL_MILLISECONDS);
