"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [PATH, KIND, SIZE, MODE, OWNER, LINK, SUM, PACKAGE, LABEL, TEXT] = Array(10).keys();
  const SVG = "http://www.w3.org/2000/svg";
  const UNIT = 10000, CHUNK = 200, MOST_LINES = 400;
  const files = data.files;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const by = (id) => document.getElementById(id);

  const human = (size) => {
    if (size < 1000) return `${size} B`;
    const units = ["kB", "MB", "GB", "TB"];
    let value = size / 1000, unit = 0;
    while (value >= 999.5 && unit < 3) { value /= 1000; unit += 1; }
    return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${units[unit]}`;
  };
  const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const set = (element, attributes) => {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  // Text goes in as text: nothing of an image is ever parsed as HTML.
  const el = (name, attributes, ...content) => {
    const made = set(document.createElement(name), attributes || {});
    made.append(...content);
    return made;
  };
  const bdi = (text) => el("bdi", {}, text);
  const packageOf = (file) => (file[PACKAGE] < 0 ? "" : data.packages[file[PACKAGE]]);
  const labelOf = (file) => data.labels[file[LABEL]];
  const classOf = (number) => data.classes[files[number][LABEL]];

  // The theme: of the system, or chosen.
  const theme = by("theme"), themes = ["automatic", "light", "dark"];
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(theme.textContent.slice(7)) + 1) % 3];
    theme.textContent = `Theme: ${next}`;
    if (next === "automatic") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
  });

  // The table of files: so many rows at a time.
  const order = { path: [true, (file, number) => number], size: [false, (file) => file[SIZE]], reason: [true, labelOf],
    package: [true, (file) => packageOf(file) || "\uffff"], sum: [true, (file) => file[SUM] || "g"] };
  const table = { sort: "size", up: false, shown: CHUNK, found: [] };
  const texts = files.map((file) =>
    [file[PATH], packageOf(file), labelOf(file), data.texts[file[TEXT]], file[SUM], file[LINK]].join("\n").toLowerCase());

  const find = () => {
    const words = by("query").value.toLowerCase().split(/\s+/).filter(Boolean);
    const label = by("reason").value;
    const key = order[table.sort][1];
    table.found = [];
    files.forEach((file, number) => {
      if (label && labelOf(file) !== label) return;
      if (words.every((word) => texts[number].includes(word))) table.found.push([key(file, number), number]);
    });
    const turn = table.up ? 1 : -1;
    table.found.sort((one, other) =>
      one[0] === other[0] ? one[1] - other[1] : (one[0] < other[0] ? -1 : 1) * turn);
    table.shown = CHUNK;
    by("rows").replaceChildren();
    const bytes = table.found.reduce((sum, [, number]) => sum + files[number][SIZE], 0);
    by("count").textContent = table.found.length === files.length
      ? `${counted(files.length, "file")}, ${human(bytes)}`
      : `${table.found.length.toLocaleString("en")} of ${counted(files.length, "file")}, ${human(bytes)}`;
    show(0);
  };
  const show = (start) => {
    by("rows").append(...table.found.slice(start, table.shown).map(([, number]) => row(number)));
    const left = table.found.length - table.shown;
    by("more").hidden = left <= 0;
    by("more").textContent = `Show ${Math.min(CHUNK, left)} more (${Math.max(left, 0).toLocaleString("en")} left)`;
  };
  const row = (number) => {
    const file = files[number];
    const button = el("button", { type: "button", "aria-expanded": "false", "data-file": number }, bdi(file[PATH]));
    return el("tr", {},
      el("th", { scope: "row" }, button),
      el("td", { class: "r" }, file[KIND] === "file" ? human(file[SIZE]) : file[KIND]),
      el("td", {}, el("span", { class: `swatch ${classOf(number)}`, "aria-hidden": "true" }), labelOf(file)),
      el("td", {}, bdi(packageOf(file) || "–")),
      el("td", {}, el("code", {}, file[SUM] ? file[SUM].slice(0, 12) : "–")));
  };
  const facts = (number) => {
    const file = files[number];
    const lines = [["reason", data.texts[file[TEXT]]], ["mode", file[MODE]], ["owner", file[OWNER]],
      ["bytes", file[SIZE].toLocaleString("en")], ["leads to", file[LINK]], ["SHA-256", file[SUM]]];
    const list = el("dl", {});
    for (const [name, value] of lines) if (value) list.append(el("dt", {}, name), el("dd", {}, bdi(value)));
    return el("tr", { class: "facts" }, el("td", { colspan: 5 }, list));
  };
  by("rows").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-file]");
    if (!button) return;
    const open = button.getAttribute("aria-expanded") === "true", here = button.closest("tr");
    button.setAttribute("aria-expanded", String(!open));
    if (open) here.nextSibling.remove();
    else here.after(facts(Number(button.dataset.file)));
  });
  by("more").addEventListener("click", () => {
    const start = table.shown;
    table.shown += CHUNK;
    show(start);
    by("rows").querySelectorAll("th button")[start].focus();
  });
  document.querySelectorAll("[data-sort]").forEach((button) => button.addEventListener("click", () => {
    const key = button.dataset.sort;
    table.up = table.sort === key ? !table.up : order[key][0];
    table.sort = key;
    document.querySelectorAll("[data-sort]").forEach((one) => one.parentNode.setAttribute("aria-sort",
      one !== button ? "none" : table.up ? "ascending" : "descending"));
    find();
  }));
  by("search").addEventListener("submit", (event) => event.preventDefault());
  by("query").addEventListener("input", find);
  by("reason").addEventListener("change", find);
  const search = (query, label) => {
    by("query").value = query;
    by("reason").value = label;
    find();
    by("files").scrollIntoView();
    by("query").focus({ preventScroll: true });
  };
  document.querySelectorAll("[data-reason]").forEach((button) =>
    button.addEventListener("click", () => search("", button.dataset.reason)));
  by("search").hidden = by("table").hidden = false;
  find();

  // The treemap: a way down into groups, each drawn as if it were all.
  const map = by("treemap"), info = by("map-info");
  const isGroup = (tile) => tile.length > 5;
  const state = { by: "reason", way: [] };
  const tileLabel = (tile) => (isGroup(tile) ? tile[4] : files[tile[4]][PATH]);
  const tileSize = (tile) => (isGroup(tile) ? tile[5] : files[tile[4]][SIZE]);
  const within = (tile, [left, up, width, height]) => [left + tile[0] * width / UNIT, up + tile[1] * height / UNIT,
    tile[2] * width / UNIT, tile[3] * height / UNIT];
  // A group has the colour of its files where all have the same.
  const colours = new Map();
  const colour = (tile) => {
    if (!isGroup(tile)) return classOf(tile[4]);
    if (!colours.has(tile)) {
      const found = new Set(members(tile).map(colour));
      colours.set(tile, found.size === 1 ? [...found][0] : "mixed");
    }
    return colours.get(tile);
  };
  const members = (tile) => tile[8];
  const here = () => (state.way.length ? members(state.way.at(-1)) : data.trees[state.by]);
  const told = (tile) => (isGroup(tile)
    ? `${tile[4]}: ${human(tile[5])} in ${counted(tile[6], "file")}`
    : `${tileLabel(tile)}: ${human(tileSize(tile))}, ${data.texts[files[tile[4]][TEXT]]}`);
  const fit = (text, width, each) => {
    const most = Math.floor((width - 8) / each);
    if (text.length <= most) return text;
    return most < 5 ? "" : `${text.slice(0, most - 1)}…`;
  };
  const svg = (name, attributes, text) => {
    const made = set(document.createElementNS(SVG, name), attributes);
    if (text) made.textContent = text;
    return made;
  };
  const draw = (tile, box, top) => {
    const [left, up, width, height] = box;
    const inside = isGroup(tile) && width > 18 && height > 18;
    const group = svg("g", { class: `tile ${inside ? colour(tile) : classOf(isGroup(tile) ? tile[7] : tile[4])}` });
    group.tile = tile;
    group.append(svg("rect", { x: left, y: up, width, height, rx: top ? 4 : 2 }));
    const name = isGroup(tile) ? tile[4] : tileLabel(tile).split("/").at(-1);
    const label = height > 16 && width > 34 ? fit(name, width, 7.2) : "";
    if (label) group.append(svg("text", { x: left + 5, y: up + 14 }, label));
    const inner = [left + 3, up + (label ? 19 : 3), width - 6, height - (label ? 22 : 6)];
    if (inside && inner[2] > 12 && inner[3] > 12) {
      for (const member of members(tile)) {
        const place = within(member, inner);
        if (place[2] > 3 && place[3] > 3) group.append(draw(member, place, false));
      }
    } else if (label && height > 34 && human(tileSize(tile)).length * 6.5 < width - 8) {
      group.append(svg("text", { x: left + 5, y: up + 29, class: "small" }, human(tileSize(tile))));
    }
    return group;
  };
  const render = (focus) => {
    const width = map.parentNode.clientWidth, height = Math.round(width < 560 ? width * 1.15 : Math.min(width * .52, 560));
    set(map, { viewBox: `0 0 ${width} ${height}`, height });
    const tiles = here().map((tile) => {
      const group = draw(tile, within(tile, [0, 0, width, height]), true);
      return set(group, { role: "button", tabindex: "-1", "aria-label": `${told(tile)}${isGroup(tile) ? ", open" : ""}` });
    });
    map.replaceChildren(...tiles);
    if (tiles.length) tiles[0].setAttribute("tabindex", "0");
    if (focus && tiles.length) tiles[0].focus({ preventScroll: true });
    crumbs();
  };
  const crumbs = () => {
    const steps = [["all files", 0], ...state.way.map((tile, number) => [tile[4], number + 1])];
    by("crumbs").replaceChildren(...steps.map(([text, depth]) => {
      const button = el("button", { type: "button" }, bdi(text));
      if (depth === state.way.length) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => go(state.way.slice(0, depth), false));
      return el("li", {}, button);
    }));
    info.textContent = state.way.length ? told(state.way.at(-1)) : "Choose a tile to look into it.";
  };
  const go = (way, focus) => {
    const deeper = way.length > state.way.length;
    state.way = way;
    render(focus);
    if (!calm.matches) {
      map.animate([{ opacity: .2, transform: `scale(${deeper ? .96 : 1.03})` }, { opacity: 1, transform: "none" }],
        { duration: 180, easing: "ease-out" });
    }
  };
  const choose = (tile, focus) => {
    if (isGroup(tile)) go([...state.way, tile], focus);
    else search(tileLabel(tile), "");
  };
  const topOf = (target) => {
    let group = target.closest(".tile");
    while (group && group.parentNode !== map) group = group.parentNode.closest(".tile");
    return group;
  };
  const step = (from, key) => {
    const tiles = [...map.children];
    if (key === "Home") return tiles[0];
    if (key === "End") return tiles.at(-1);
    const centre = (one) => { const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
    const [x, y] = centre(from), across = key === "ArrowLeft" || key === "ArrowRight";
    const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
    const far = (one) => {
      const [left, up] = centre(one), ahead = sign * (across ? left - x : up - y), aside = Math.abs(across ? up - y : left - x);
      return ahead > 1 ? ahead + 2 * aside : Infinity;
    };
    return tiles.filter((one) => far(one) < Infinity).sort((one, other) => far(one) - far(other))[0] || from;
  };
  map.addEventListener("click", (event) => { const top = topOf(event.target); if (top) choose(top.tile, false); });
  map.addEventListener("keydown", (event) => {
    const top = topOf(event.target);
    if (!top) return;
    if (event.key === "Enter" || event.key === " ") choose(top.tile, true);
    else if ((event.key === "Escape" || event.key === "Backspace") && state.way.length) go(state.way.slice(0, -1), true);
    else if (/^(Arrow|Home|End)/.test(event.key)) {
      const next = step(top, event.key);
      top.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus({ preventScroll: true });
    } else return;
    event.preventDefault();
  });
  const tell = (event) => { const group = event.target.closest(".tile"); if (group) info.textContent = told(group.tile); };
  map.addEventListener("pointerover", tell);
  map.addEventListener("focusin", tell);
  document.querySelectorAll("input[name=by]").forEach((input) => input.addEventListener("change", () => {
    state.by = input.value;
    go([], false);
  }));
  if (data.trees.reason.length) {
    by("map").hidden = false;
    new ResizeObserver(() => render(false)).observe(map.parentNode);
  }

  // The libraries: lines from each to who needs it.
  const graph = by("graph");
  if (graph) {
    const buttons = [...graph.querySelectorAll("[data-node]")].sort((a, b) => a.dataset.node - b.dataset.node);
    let chosen = -1;
    const lines = () => {
      const frame = graph.getBoundingClientRect();
      const all = data.edges.filter((edge) => edge.includes(chosen) || data.edges.length <= MOST_LINES);
      by("lines").replaceChildren(...all.map((edge) => {
        const [from, to] = edge.map((number) => buttons[number].getBoundingClientRect());
        const down = to.y >= from.y + from.height, x1 = from.x - frame.x + from.width / 2, x2 = to.x - frame.x + to.width / 2;
        const y1 = (down ? from.bottom : from.y) - frame.y, y2 = (down ? to.y : to.bottom) - frame.y;
        const bend = Math.max(14, Math.abs(y2 - y1) / 2) * (down ? 1 : -1), level = Math.abs(from.y - to.y) < 4;
        const curve = level
          ? `M${x1} ${from.bottom - frame.y} C${x1} ${from.bottom - frame.y + 22} ${x2} ${to.bottom - frame.y + 22} ${x2} ${to.bottom - frame.y}`
          : `M${x1} ${y1} C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
        return svg("path", { d: curve, class: edge.includes(chosen) ? "on" : "" });
      }));
    };
    const around = (number) => [data.edges.filter((edge) => edge[1] === number).map((edge) => edge[0]),
      data.edges.filter((edge) => edge[0] === number).map((edge) => edge[1])];
    const linkTo = (number) => {
      const button = el("button", { type: "button", class: "link" }, bdi(buttons[number].textContent));
      button.addEventListener("click", () => { pick(number); buttons[number].focus(); });
      return button;
    };
    const links = (title, numbers) => el("p", {}, `${title} `,
      ...(numbers.length ? numbers.flatMap((number, place) => [place ? ", " : "", linkTo(number)]) : ["nothing"]));
    const pick = (number) => {
      chosen = chosen === number ? -1 : number;
      const [needers, needed] = around(chosen);
      buttons.forEach((button, place) => {
        button.setAttribute("aria-pressed", String(place === chosen));
        button.classList.toggle("near", place === chosen || needers.includes(place) || needed.includes(place));
      });
      graph.classList.toggle("chosen", chosen >= 0);
      by("library").replaceChildren(...(chosen < 0 ? [] : [el("p", {}, el("strong", {}, bdi(buttons[chosen].textContent))),
        links("is needed by", needers), links("needs", needed)]));
      lines();
    };
    buttons.forEach((button, number) => button.addEventListener("click", () => pick(number)));
    new ResizeObserver(lines).observe(graph);
  }
})();
