// Curves, scatter and parallel coordinates. Lines differ by dash and mark, not by colour alone.
"use strict";

(() => {
  const here = document.body.dataset.here;
  const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#b0508a", "#8a6d00", "#2b83c6", "#666666", "#7c3aed"];
  const DARK = ["#56b4e9", "#ff9a56", "#2ed8a7", "#e7a3cf", "#e6c34c", "#9ecae1", "#bbbbbb", "#b79cff"];
  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
  const MARKS = ["circle", "square", "diamond", "cross", "x", "triangle-up"];
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const colourOf = (at) => (dark.matches ? DARK : LIGHT)[at % LIGHT.length];

  // Plotly reads some HTML in texts: what is stored is none.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  const layout = (more) => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true };
    return {
      margin: { l: 48, r: 12, t: 12, b: 36 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("--ink"), size: 12 },
      hoverlabel: { namelength: 40 },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
      xaxis: { ...axis, ...more.xaxis }, yaxis: { ...axis, ...more.yaxis },
      showlegend: Boolean(more.showlegend), uirevision: "kept",
      ...(more.shapes ? { shapes: more.shapes } : {}), ...(more.annotations ? { annotations: more.annotations } : {}),
    };
  };
  const draw = (plot, traces, more) => {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    plot.setAttribute("role", "group");
    return Plotly.react(plot, traces, layout(more), { displaylogo: false, responsive: true, displayModeBar: still ? false : "hover" });
  };

  // A running mean that begins without a bend.
  const smooth = (values, weight) => {
    if (!weight) return values;
    let mean = 0, seen = 0;
    return values.map((value) => {
      if (value === null) return null;
      mean = mean * weight + (1 - weight) * value;
      seen += 1;
      return mean / (1 - weight ** seen);
    });
  };

  const controls = document.getElementById("controls");
  const board = document.getElementById("charts");
  const known = new Map();

  const along = (line) => {
    const way = controls.elements.along.value;
    if (way === "time") return line.times.map((time) => new Date(time));
    if (way === "since") return line.times.map((time) => (time - line.times[0]) / 1000);
    return line.steps;
  };
  const curve = (figure, told) => {
    const weight = Number(controls.elements.smoothing.value);
    const several = told.lines.length > 1;
    const traces = told.lines.filter((line) => line.values.length).map((line, at) => ({
      x: along(line), y: smooth(line.values, weight), name: plain(line.name || told.key), type: "scatter",
      mode: line.values.length > 60 ? "lines" : "lines+markers",
      line: { color: colourOf(at), dash: DASHES[at % DASHES.length], width: 2 },
      marker: { symbol: MARKS[at % MARKS.length], size: 6 },
    }));
    const plot = figure.querySelector(".plot");
    const last = told.lines.map((line) => `${line.name} ${line.values[line.values.length - 1]}`.trim()).join(", ");
    plot.setAttribute("aria-label", `Curve of ${told.key}: latest ${last}`);
    return draw(plot, traces, {
      showlegend: several,
      xaxis: { title: { text: { step: "step", time: "", since: "seconds" }[controls.elements.along.value] } },
      yaxis: { type: controls.elements.log.checked ? "log" : "linear" },
    });
  };
  const load = async (figure) => {
    const query = new URLSearchParams({ key: figure.dataset.curve });
    for (const run of JSON.parse(board.dataset.runs)) query.append("run", run);
    const answer = await fetch(`${here}/curves?${query}`, { credentials: "same-origin", cache: "no-store" });
    if (!answer.ok) return;
    known.set(figure, await answer.json());
    await curve(figure, known.get(figure));
    figure.dataset.points = Math.max(...known.get(figure).lines.map((line) => line.values.length));
  };

  if (board) {
    // Those that nobody has scrolled to are not asked for.
    const watching = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        watching.unobserve(entry.target);
        load(entry.target);
      }
    }, { rootMargin: "300px" });
    for (const figure of board.querySelectorAll("[data-curve]")) watching.observe(figure);
    const redraw = () => { for (const [figure, told] of known) curve(figure, told); };
    controls.addEventListener("input", redraw);
    dark.addEventListener("change", redraw);
    document.addEventListener("moved", ({ detail }) => {
      for (const key of detail) {
        let figure = [...board.querySelectorAll("[data-curve]")].find((each) => each.dataset.curve === key);
        if (figure) { if (known.has(figure)) load(figure); continue; }
        figure = document.createElement("figure");
        figure.className = "chart";
        figure.dataset.curve = key;
        const caption = document.createElement("figcaption");
        caption.textContent = key;
        const plot = document.createElement("div");
        plot.className = "plot";
        figure.append(caption, plot);
        board.append(figure);
        watching.observe(figure);
      }
    });
  }

  const across = document.getElementById("across");
  if (across) {
    const { runs, axes } = JSON.parse(across.dataset.values);
    const form = across.querySelector("form");
    const named = (name) => axes.find((axis) => axis.name === name);
    const scatter = () => {
      const [x, y] = [named(form.elements.x.value), named(form.elements.y.value)];
      const plot = across.querySelector("[data-scatter]");
      plot.setAttribute("aria-label", `${y.name} by ${x.name} of ${runs.length} runs`);
      const apart = runs.length <= 20;
      const dot = (run, at) => ({
        x: [x.values[at]], y: [y.values[at]], name: plain(run.name), text: [plain(run.name)],
        marker: { size: 11, color: colourOf(at), symbol: MARKS[at % MARKS.length] },
      });
      const all = { x: x.values, y: y.values, text: runs.map((run) => plain(run.name)), marker: { size: 9, color: colourOf(0) } };
      const traces = apart ? runs.map(dot) : [all];
      const look = { type: "scatter", mode: "markers", hovertemplate: "%{text}: %{x}, %{y}<extra></extra>" };
      return draw(plot, traces.map((trace) => ({ ...look, ...trace })), { showlegend: apart, xaxis: { title: { text: plain(x.name) } }, yaxis: { title: { text: plain(y.name) } } });
    };
    const parallel = () => {
      const shown = axes.slice(0, 12);
      const ends = shown.map(({ values }) => {
        const numbers = values.filter((value) => value !== null);
        return [Math.min(...numbers), Math.max(...numbers)];
      });
      const traces = runs.map((run, at) => ({
        type: "scatter", mode: "lines+markers", name: plain(run.name),
        x: shown.map((axis, place) => place),
        y: shown.map(({ values }, place) => {
          const [least, most] = ends[place];
          return values[at] === null ? null : (values[at] - least) / (most - least);
        }),
        text: shown.map(({ name, values }) => `${plain(name)} ${values[at]}`),
        hovertemplate: "%{text}",
        line: { color: colourOf(at), dash: DASHES[at % DASHES.length] },
        marker: { symbol: MARKS[at % MARKS.length], size: 7 },
      }));
      const label = (value, place, y, anchor) => ({ x: place, y, text: String(Number(value.toPrecision(4))), showarrow: false, yanchor: anchor });
      const plot = across.querySelector("[data-parallel]");
      plot.setAttribute("aria-label", `${runs.length} runs along ${shown.map((axis) => axis.name).join(", ")}`);
      return draw(plot, traces, {
        showlegend: runs.length <= 20,
        xaxis: { tickvals: shown.map((axis, place) => place), ticktext: shown.map((axis) => plain(axis.name)), zeroline: false },
        yaxis: { visible: false, range: [-0.12, 1.12] },
        annotations: ends.flatMap(([least, most], place) => [label(least, place, -0.02, "top"), label(most, place, 1.02, "bottom")]),
      });
    };
    const both = () => { scatter(); parallel(); };
    form.addEventListener("input", scatter);
    dark.addEventListener("change", both);
    both();
  }
})();
