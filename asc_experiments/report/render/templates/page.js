"use strict";
(() => {
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("charts").textContent);
  const print_width = 760;

  // A colour is the name of a property of the page's style, which differs between light and dark.
  const styled = (value, key, style) => {
    if (Array.isArray(value)) return value.map((each) => styled(each, key, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, styled(each, name, style)]));
    }
    const named = typeof value === "string" && /color/i.test(key) && value.match(/^var\((--[a-z0-9-]+)\)$/);
    return named ? style.getPropertyValue(named[1]).trim() : value;
  };

  const base = (style) => {
    const of = (name) => style.getPropertyValue(name).trim();
    const axis = { zeroline: false, gridcolor: of("--grid"), linecolor: of("--rule"), zerolinecolor: of("--muted"), tickcolor: of("--rule") };
    return {
      axis,
      layout: {
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, hovermode: "closest",
        font: { color: of("--ink"), family: getComputedStyle(document.body).fontFamily, size: 12 },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: of("--muted"), activecolor: of("--ink") },
        margin: { l: 60, r: 16, t: 12, b: 56 },
        hoverlabel: { bgcolor: of("--hover"), bordercolor: of("--hover"), font: { color: of("--hover-ink") }, align: "left" },
      },
    };
  };

  const draw = (place) => {
    const element = document.getElementById(place), style = getComputedStyle(root);
    const shared = base(style), own = styled(figures[place].layout, "", style);
    const layout = { ...shared.layout, ...own, height: Number(element.dataset.height) };
    layout.margin = { ...shared.layout.margin, ...own.margin };
    layout.font = { ...shared.layout.font, ...own.font };
    for (const name of Object.keys(own).filter((key) => /^[xy]axis/.test(key))) {
      layout[name] = { ...shared.axis, fixedrange: true, ...own[name] };
    }
    if (root.dataset.print) layout.width = print_width;
    const config = {
      responsive: true, displayModeBar: "hover", displaylogo: false, modeBarButtons: [["toImage"]],
      toImageButtonOptions: { format: "svg", filename: place },
    };
    return Plotly.react(element, styled(figures[place].data, "", style), layout, config);
  };

  // A chart that is folded away has no width: it is drawn when it is unfolded.
  const drawn = new Set();
  const is_folded = (place) => document.getElementById(place).closest("details:not([open])") !== null;
  const draw_shown = (anew) => Promise.all(
    Object.keys(figures).filter((place) => !is_folded(place) && (anew || !drawn.has(place))).map((place) => {
      drawn.add(place);
      return draw(place);
    }));
  const draw_all = () => {
    drawn.clear();
    return draw_shown(true);
  };
  const unfold_to = () => {
    const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!place) return;
    const own = place.querySelector(":scope > details.part");
    for (let each = own || place.closest("details"); each; each = each.parentElement.closest("details")) each.open = true;
    place.scrollIntoView();
  };

  const value_of = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };

  // Empty cells stay below, whichever way a column is sorted.
  const compare = (a, b, sign) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  };

  const sort = (table, heading) => {
    const column = heading.cellIndex, first = heading.classList.contains("number") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const way = heading.getAttribute("aria-sort") === first ? other : first;
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", way);
    const body = table.tBodies[0], sign = way === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row, place) => [value_of(row, column), place, row]);
    rows.sort((a, b) => compare(a[0], b[0], sign) || a[1] - b[1]);
    body.append(...rows.map((each) => each[2]));
  };

  const make_sortable = (table) => {
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, heading));
      heading.append(button);
    }
  };

  // A box that holds more than it shows says so, and fades where it continues.
  const look = (box) => {
    const hint = box.previousElementSibling, hidden = box.scrollWidth - box.clientWidth;
    if (hint && hint.classList.contains("hint")) hint.hidden = hidden < 2;
    box.classList.toggle("more", hidden - box.scrollLeft > 2);
  };
  const watch = new ResizeObserver((entries) => entries.forEach((entry) => look(entry.target)));
  for (const box of document.querySelectorAll(".scroll")) {
    watch.observe(box);
    box.addEventListener("scroll", () => look(box), { passive: true });
  }

  let unfolded = [];
  addEventListener("beforeprint", () => {
    root.dataset.print = "yes";
    unfolded = [...document.querySelectorAll("details:not([open])")];
    for (const each of unfolded) each.open = true;
    draw_all();
  });
  addEventListener("afterprint", () => {
    delete root.dataset.print;
    for (const each of unfolded) each.open = false;
    draw_all();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw_all);
  // "toggle" does not bubble.
  document.addEventListener("toggle", () => draw_shown(false), true);
  addEventListener("hashchange", unfold_to);
  const every = document.createElement("button"), item = document.createElement("li");
  every.type = "button";
  every.textContent = "Unfold all";
  every.addEventListener("click", () => {
    const open = every.textContent === "Unfold all";
    for (const each of document.querySelectorAll("main details")) each.open = open;
    every.textContent = open ? "Fold all" : "Unfold all";
  });
  item.append(every);
  document.querySelector("nav ol").append(item);
  document.querySelectorAll("table.sortable").forEach(make_sortable);
  if (matchMedia("(max-width: 40rem)").matches) document.querySelector("nav details").open = false;
  unfold_to();
  draw_all().then(() => { root.dataset.drawn = "yes"; });
})();
