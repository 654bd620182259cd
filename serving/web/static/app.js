// Keys for those who stay on the keyboard, and the item page's charts. All words and numbers come with the page.
"use strict";

document.documentElement.classList.add("js");
const LOCALE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "/") {
    const search = document.querySelector("[data-key='/']");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  } else if (event.key === "j" || event.key === "k") {
    const rows = [...document.querySelectorAll("[data-row]")];
    const here = rows.indexOf(document.activeElement);
    const next = rows[Math.max(0, Math.min(rows.length - 1, here + (event.key === "j" ? 1 : -1)))];
    if (next) next.focus();
  } else if (event.key === "x") {
    document.activeElement.closest("tr")?.querySelector("[name=alert]")?.click();
  }
});

// Of the worklist all rows, or the one that has the focus, can be picked.
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-all]")) return;
  for (const box of event.target.form.querySelectorAll("[name=alert]")) box.checked = event.target.checked;
});

function read(id) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}

// Colours live in the style sheet; a chart takes them from there, so that dark and light need no second list.
function colours() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy({}, { get: (_, name) => style.getPropertyValue("--" + name).trim() });
}

function faded(colour, share) {
  const value = parseInt(colour.slice(1), 16);
  return `rgba(${value >> 16}, ${(value >> 8) & 255}, ${value & 255}, ${share})`;
}

function number(value) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString(LOCALE, { maximumFractionDigits: Math.abs(value) >= 100 ? 0 : 1 });
}

// Stretches of consecutive dates for which `test` holds, as ECharts wants areas.
function stretches(dates, test, style) {
  const found = [];
  let start = null;
  for (let i = 0; i <= dates.length; i++) {
    const on = i < dates.length && test(i);
    if (on && start === null) start = i;
    if (!on && start !== null) {
      found.push([{ xAxis: dates[start], itemStyle: style }, { xAxis: dates[Math.min(i, dates.length - 1)] }]);
      start = null;
    }
  }
  return found;
}

function letters() {
  return { fontFamily: getComputedStyle(document.body).fontFamily };
}

// A scale whose top is a round number of round steps.
function scale(highest) {
  if (!(highest > 0)) return { max: 1 };
  const rough = highest / 4, unit = 10 ** Math.floor(Math.log10(rough));
  const interval = unit * [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((step) => step * unit >= rough);
  return { interval, max: interval * Math.ceil(highest / interval) };
}

function axes(dates, ink) {
  const day = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", timeZone: "UTC" });
  return {
    x: {
      type: "category", data: dates, boundaryGap: false, axisTick: { show: false },
      axisLine: { lineStyle: { color: ink.line } },
      axisLabel: { color: ink.soft, hideOverlap: true, formatter: (text) => day.format(new Date(text)) },
    },
    y: {
      type: "value", min: 0, splitNumber: 4, splitLine: { lineStyle: { color: ink.line } },
      axisLabel: { color: ink.soft, formatter: number },
    },
  };
}

function tooltip(ink, write) {
  return {
    trigger: "axis", renderMode: "richText", confine: true, backgroundColor: ink.paper, borderColor: ink.line,
    textStyle: { color: ink.ink, fontSize: 12 }, axisPointer: { lineStyle: { color: ink.soft } },
    formatter: (points) => write(points[0].dataIndex),
  };
}

function nowLine(data, words, ink) {
  return {
    silent: true, symbol: "none", lineStyle: { color: ink.soft, type: "dashed", width: 1 },
    label: { formatter: words.today, color: ink.soft, fontSize: 11, position: "end" },
    data: [{ xAxis: data.as_of }],
  };
}

// The bands of a fan, the widest first and palest; `later` puts values where the future lies.
function fan(bands, later, colour, name) {
  return bands.flatMap((band, place) => {
    const common = { type: "line", symbol: "none", silent: true, lineStyle: { opacity: 0 }, stack: name + place, emphasis: { disabled: true } };
    return [
      { ...common, data: later(band.low) },
      { ...common, data: later(band.high.map((high, i) => high - band.low[i])), areaStyle: { color: colour, opacity: 0.12 + 0.16 * place } },
    ];
  });
}

function demandChart(data, words, ink) {
  const tried = read("what-if-data");
  const past = data.history, ahead = data.forecast;
  const dates = [...past.date, ...ahead.date];
  const later = (values) => [...past.date.map(() => null), ...values];
  const axis = axes(dates, ink);
  // A shelf empty for most of a period is shaded deeply, one empty for part of it lightly.
  const onShelf = (i) => past.in_stock[i] ?? 1;
  const out = stretches(past.date, (i) => onShelf(i) < 0.5, { color: faded(ink.out, 0.2) });
  const partly = stretches(past.date, (i) => onShelf(i) >= 0.5 && onShelf(i) < 0.95, { color: faded(ink.out, 0.08) });
  const promoted = stretches(past.date, (i) => past.promotion[i] > 0, { color: faded(ink.violet, 0.16) });
  const supposed = tried ? stretches(dates, (i) => dates[i] >= tried.start && dates[i] <= tried.end, { color: faded(ink.tried, 0.1) }) : [];
  return {
    animation: false, textStyle: letters(),
    grid: { left: 44, right: 12, top: 22, bottom: 24 },
    xAxis: axis.x, yAxis: axis.y,
    tooltip: tooltip(ink, (i) => {
      const h = i - past.date.length;
      if (h < 0) {
        const lines = [past.date[i], `${words.sold}  ${number(past.quantity[i])}`];
        if (onShelf(i) < 0.95) lines.push(`${words.out}  ${Math.round((1 - onShelf(i)) * 100)}%`);
        if (past.promotion[i] > 0) lines.push(words.promotion);
        return lines.join("\n");
      }
      const ranges = ahead.bands.map((band) => `${words.range.replace("{share}", Math.round(band.share * 100) + "%")}  ${number(band.low[h])} – ${number(band.high[h])}`);
      const other = tried ? [`${words.tried}  ${number(tried.mean[h])}`] : [];
      return [ahead.date[h], `${words.expected}  ${number(ahead.mean[h])}`, ...other, ...ranges].join("\n");
    }),
    series: [
      ...fan(ahead.bands, later, ink.fan, "band"),
      ...(tried ? fan(tried.bands, later, ink.tried, "tried") : []),
      {
        type: "line", symbol: "none", data: past.quantity, lineStyle: { color: ink.ink, width: 1.3 }, itemStyle: { color: ink.ink },
        markArea: { silent: true, data: [...promoted, ...partly, ...out, ...supposed] }, markLine: nowLine(data, words, ink), emphasis: { disabled: true },
      },
      { type: "line", symbol: "none", data: later(ahead.mean), lineStyle: { color: ink.fan, width: 2 }, itemStyle: { color: ink.fan }, emphasis: { disabled: true } },
      ...(tried ? [{ type: "line", symbol: "none", data: later(tried.mean), lineStyle: { color: ink.tried, width: 2, type: "dashed" }, itemStyle: { color: ink.tried }, emphasis: { disabled: true } }] : []),
    ],
  };
}

function stockChart(data, words, ink) {
  const dates = [data.as_of, ...data.stock.date];
  const projected = [data.on_hand, ...data.stock.expected_on_hand];
  const chance = [null, ...data.stock.stockout_probability];
  const coming = new Map(data.inbound.date.map((date, i) => [date, data.inbound.quantity[i]]));
  const axis = axes(dates, ink);
  const colour = { safety_stock: ink.critical, reorder_point: ink.warning, order_up_to: ink.accent, overstock_level: ink.violet };
  const top = Math.max(...projected, ...coming.values(), data.levels.order_up_to || 0);
  // A level far above everything else would flatten the rest; the side panel gives its number.
  const levels = Object.entries(data.levels).filter(([, value]) => value <= top * 1.6);
  const highest = Math.max(top, ...levels.map(([, value]) => value)) * 1.04;
  const marks = levels.sort((one, other) => one[1] - other[1]).map(([name, value], place) => {
    // Two levels close together: the lower one's words go below its line, a third's to the left.
    const above = levels[place + 1], below = levels[place - 1];
    const crowded = (other) => other && Math.abs(other[1] - value) < highest * 0.07;
    const position = !crowded(above) ? "insideEndTop" : crowded(below) ? "insideStartTop" : "insideEndBottom";
    return {
      yAxis: value, lineStyle: { color: colour[name], type: "dashed", width: 1.2 },
      label: { formatter: `${words[name]} ${number(value)}`, position, color: colour[name], fontSize: 11 },
    };
  });
  return {
    animation: false, textStyle: letters(),
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    grid: [{ left: 44, right: 12, top: 14, bottom: "34%" }, { left: 44, right: 12, top: "74%", bottom: 24 }],
    xAxis: [{ ...axis.x, gridIndex: 0, axisLabel: { show: false } }, { ...axis.x, gridIndex: 1 }],
    yAxis: [
      { ...axis.y, gridIndex: 0, ...scale(highest) },
      { ...axis.y, gridIndex: 1, max: 1, splitNumber: 2, interval: 0.5, axisLabel: { color: ink.soft, formatter: (value) => Math.round(value * 100) + "%" } },
    ],
    tooltip: tooltip(ink, (i) => {
      const lines = [dates[i], `${words.projected}  ${number(projected[i])}`];
      if (coming.has(dates[i])) lines.push(`${words.inbound}  ${number(coming.get(dates[i]))}`);
      if (chance[i] !== null) lines.push(`${words.chance}  ${Math.round(chance[i] * 100)}%`);
      return lines.join("\n");
    }),
    series: [
      {
        type: "line", symbol: "none", data: projected, lineStyle: { color: ink.held, width: 2.2 }, itemStyle: { color: ink.held },
        areaStyle: { color: ink.held, opacity: 0.1 }, emphasis: { disabled: true },
        markLine: { silent: true, symbol: "none", data: marks },
      },
      { type: "bar", data: dates.map((date) => coming.get(date) ?? null), barWidth: 9, itemStyle: { color: ink.blue, borderRadius: [2, 2, 0, 0] }, emphasis: { disabled: true } },
      {
        type: "line", step: "middle", symbol: "none", xAxisIndex: 1, yAxisIndex: 1, data: chance, lineStyle: { color: ink.critical, width: 1.5 },
        itemStyle: { color: ink.critical }, areaStyle: { color: ink.critical, opacity: 0.22 }, emphasis: { disabled: true },
      },
    ],
  };
}

function draw() {
  const data = read("chart-data"), words = read("chart-words");
  if (!data || typeof echarts === "undefined") return;
  for (const [id, make] of [["chart-stock", stockChart], ["chart-demand", demandChart]]) {
    const place = document.getElementById(id);
    if (!place) continue;
    const chart = echarts.getInstanceByDom(place) || echarts.init(place);
    chart.setOption(make(data, words, colours()), true);
  }
}

document.addEventListener("DOMContentLoaded", draw);
document.addEventListener("htmx:after:swap", draw);  // a what-if was answered
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("resize", () => {
  for (const place of document.querySelectorAll(".chart")) echarts.getInstanceByDom(place)?.resize();
});
