// Draws the panels of a meter's page from its series. What is missing stays empty: nothing is joined over it.
"use strict";

(() => {
  const ZONE = "Europe/Helsinki";
  const HEIGHT = 220;
  const DAY_S = 86400;
  const LOCALES = { fi: "fi-FI", sv: "sv-FI", en: "en-GB" };

  const drawn = new Map();
  let digest = null;
  let series = null;

  const box = () => document.getElementById("charts");
  const locale = () => LOCALES[box().dataset.language] || "fi-FI";
  const time = (options) => new Intl.DateTimeFormat(locale(), { timeZone: ZONE, ...options });

  function ink(name) {
    const probe = document.createElement("span");
    probe.className = "ink-" + name;
    box().append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  }

  const seconds = (instant) => Date.parse(instant) / 1000;

  function points(panel) {
    const rows = series.at.map((_, row) => row).filter((row) => panel.style !== "bars" || series.on_slot[row]);
    const lines = panel.series.map(({ column }) => {
      const values = series.columns[column] || [];
      return rows.map((row) => (values[row] == null ? null : Number(values[row])));
    });
    return [rows.map((row) => seconds(series.at[row])), ...lines];
  }

  // The whole range that was asked for, also where nothing is known; a stretch that the reader drags open.
  function timeRange(plot, low, high) {
    const at = plot.data[0];
    const whole = low == null || (low <= at[0] && high >= at[at.length - 1]);
    return whole ? [seconds(series.from), seconds(series.to)] : [low, high];
  }

  // From the last reading before a gap to the first one after it nothing is known.
  function missingSpans() {
    const spans = [];
    series.at.forEach((instant, row) => {
      if (series.state[row] !== "missing") return;
      const at = seconds(instant);
      const last = spans[spans.length - 1];
      if (last && at - series.step_s <= last[1]) last[1] = at + series.step_s;
      else spans.push([at - series.step_s, at + series.step_s]);
    });
    return spans;
  }

  function shadeMissing(plot, spans, colour) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour;
    for (const [start, end] of spans) {
      const left = plot.valToPos(start, "x", true);
      ctx.fillRect(left, bbox.top, Math.max(1, plot.valToPos(end, "x", true) - left), bbox.height);
    }
    ctx.restore();
  }

  function timeTicks(plot, splits, axis, space, incr) {
    const clock = time({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const day = time({ day: "numeric", month: locale() === "en-GB" ? "short" : "numeric" }); // 12/11 may be two days
    const month = time({ month: "numeric", year: "numeric" });
    const isMidnight = (at) => /^0?0\D0?0$/.test(clock.format(at));
    return splits.map((split) => {
      const at = new Date(split * 1000);
      if (incr >= 28 * DAY_S) return month.format(at);
      return incr >= DAY_S || isMidnight(at) ? day.format(at) : clock.format(at);
    });
  }

  // In the resolution that the meter gives: 82,0 °C and not 82 °C.
  function resolution(column) {
    const decimals = (text) => (text == null ? 0 : (text.split(".")[1] || "").length);
    return (series.columns[column] || []).reduce((most, text) => Math.max(most, decimals(text)), 0);
  }

  // Points where there is room for all of them; else those that no line joins to a neighbour.
  function pointsShown(plot, line, show) {
    if (show) return null;
    const values = plot.data[line];
    return values.flatMap((value, row) => (value != null && values[row - 1] == null && values[row + 1] == null ? row : []));
  }

  function drawnLine(panel, line) {
    const unit = series.unit_signs[line.column] || "";
    const decimals = resolution(line.column);
    const number = new Intl.NumberFormat(locale(), { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    const bars = { width: 0, fill: ink(line.ink), paths: uPlot.paths.bars({ align: 1, size: [0.86, Infinity, 1] }), points: { show: false } };
    return {
      label: line.label,
      stroke: ink(line.ink),
      width: 2,
      dash: line.dash,
      spanGaps: false,
      points: { size: 6, fill: ink("surface"), filter: pointsShown },
      value: (_, value) => (value == null ? "–" : `${number.format(value)} ${unit}`),
      ...(panel.style === "bars" ? bars : {}),
    };
  }

  function options(figure, panel, spans) {
    const number = new Intl.NumberFormat(locale(), { maximumFractionDigits: 3 });
    const when = time({ weekday: "short", day: "numeric", month: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" });
    const axis = { stroke: ink("quiet"), font: "12px system-ui, sans-serif", grid: { stroke: ink("grid"), width: 1 }, ticks: { show: false } };
    const fromZero = (_, low, high) => [0, (high || 1) * 1.08];
    const gap = ink("gap");
    return {
      width: figure.clientWidth,
      height: HEIGHT,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), ZONE),
      cursor: { sync: { key: "meter" }, y: false, points: { size: 7 } },
      legend: { markers: { width: 0, fill: (plot, line) => ink(panel.series[line - 1].ink) } },
      scales: { x: { time: true, range: timeRange }, y: panel.style === "bars" ? { range: fromZero } : {} },
      axes: [
        { ...axis, values: timeTicks, space: 64, size: 28 },
        { ...axis, values: (_, splits) => splits.map((value) => number.format(value)), size: 52 },
      ],
      series: [
        { label: panel.time_label, value: (_, at) => (at == null ? "–" : when.format(new Date(at * 1000))) },
        ...panel.series.map((line) => drawnLine(panel, line)),
      ],
      hooks: { drawClear: [(plot) => shadeMissing(plot, spans, gap)] },
    };
  }

  function draw() {
    const spans = missingSpans();
    box().querySelectorAll("figure.chart").forEach((figure) => {
      const panel = JSON.parse(figure.dataset.panel);
      drawn.get(figure.id)?.destroy();
      drawn.set(figure.id, new uPlot(options(figure, panel, spans), points(panel), figure));
      widths.observe(figure);
    });
  }

  async function refresh() {
    if (!box() || box().dataset.digest === digest) return;
    const wanted = box().dataset.digest;
    try {
      const answer = await fetch(box().dataset.source, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      series = await answer.json();
    } catch {
      return; // the stale banner speaks; the next update asks again
    }
    digest = wanted;
    draw();
  }

  const widths = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const plot = drawn.get(target.id);
      if (plot && plot.width !== target.clientWidth) plot.setSize({ width: target.clientWidth, height: HEIGHT });
    }
  });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => series && draw());
  document.body.addEventListener("htmx:afterSettle", refresh);
  refresh();
})();
