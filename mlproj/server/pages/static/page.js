// What pages do beside being read: local times, following what goes on, and addresses of MLflow's own page.
"use strict";

(() => {
  const here = document.body.dataset.here;
  const PAUSE = 2000;
  const PATIENCE = 20000;

  // MLflow's client prints addresses such as /#/experiments/1/runs/abc.
  const old = /^#\/(?:experiments\/([^/?]+)(?:\/runs\/([^/?]+))?|models\/([^/?]+)(?:\/versions\/([^/?]+))?)/.exec(location.hash);
  if (old) {
    const [, experiment, run, model, version] = old;
    const path = run ? `/runs/${run}` : experiment ? `/experiments/${experiment}`
      : version ? `/models/${model}/versions/${version}` : `/models/${model}`;
    location.replace(here + path);
  }

  const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      time.textContent = shown.format(moment);
      time.title = whole.format(moment);
    }
  };
  localise(document);

  const asked = async (address) => {
    // An answer that is lost on its way is not waited for: what follows, asks again.
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch(address, { credentials: "same-origin", cache: "no-store", signal });
    if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
    return answer;
  };

  // Puts the newer part of a page in the place of the older one.
  const renew = async (id, address) => {
    const text = await (await asked(address)).text();
    const newer = new DOMParser().parseFromString(text, "text/html").getElementById(id);
    const older = document.getElementById(id);
    if (!newer || !older || older.contains(document.activeElement)) return older;
    const ticked = new Set([...older.querySelectorAll("input:checked")].map((box) => box.value));
    for (const box of newer.querySelectorAll("input[type=checkbox]")) box.checked = ticked.has(box.value);
    localise(newer);
    older.replaceWith(newer);
    return newer;
  };

  // Calls until the answer is false, while somebody looks.
  const again = (act) => {
    const next = async () => {
      let more = true;
      if (!document.hidden) {
        try { more = await act(); } catch (error) { more = true; }
      }
      if (more) setTimeout(next, PAUSE);
    };
    setTimeout(next, PAUSE);
  };

  const table = document.getElementById("table");
  if (table && table.dataset.live) {
    again(async () => {
      const address = document.getElementById("table").dataset.live;
      return Boolean(address && (await renew("table", address)).dataset.live);
    });
  }

  const logs = [...document.querySelectorAll("[data-log]")];
  for (const log of logs) log.scrollTop = log.scrollHeight;
  const follow = async (log) => {
    const piece = await (await asked(`${log.dataset.log}?from=${log.dataset.next}`)).json();
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    if (piece.text) log.append(piece.text);
    log.dataset.next = piece.next;
    if (atEnd) log.scrollTop = log.scrollHeight;
    return !piece.over;
  };

  const live = document.getElementById("live");
  if (live && live.dataset.going) {
    again(async () => {
      const newer = await renew("live", live.dataset.going);
      const going = Boolean(newer.dataset.going);
      let more = (await Promise.all(logs.map(follow))).some(Boolean);
      document.dispatchEvent(new CustomEvent("moved", { detail: JSON.parse(newer.dataset.charts) }));
      // What a run leaves at its end stands on the page as it is then.
      if (!going && !more) location.reload();
      return going || more;
    });
  }
})();
