/* What must happen in the browser: the uploaded image stays here, and the pointer waits for no server. */
(function () {
  "use strict";

  // bytes of base64 that the page's server takes, see guard.LARGEST_BODY
  const LONGEST_UPLOAD = 35e6;
  const DEBOUNCE_MS = 250;
  const none = () => window.dash_clientside.no_update;
  const trigger = () => window.dash_clientside.callback_context;
  let pending = null;
  let stepped = { previous: 0, next: 0 };

  /* The file becomes the staged image; the upload is emptied so that the same file can be chosen again. */
  function stage(contents, _forget, name) {
    const cause = trigger().triggered_id;
    if (cause === "forget") return [null, null, true];
    if (contents === null || contents === undefined) return [none(), none(), none()];
    if (contents.length > LONGEST_UPLOAD) return [null, null, false];
    return [{ contents: contents, name: name || "image", at: Date.now() }, null, true];
  }

  /* The image is drawn from the tab's own memory; what browsers cannot draw (DICOM) has no preview. */
  function showQuery(query, staged) {
    if (!query || !staged) return ["", "", true];
    const source = staged.contents.startsWith("data:image/") ? staged.contents : "";
    return [source, source, false];
  }

  /* The controls of the filter panel as one value, a moment after the last change. */
  const FACETED = ["diagnosis", "site", "sex", "evidence", "source"];
  const MODED = [...FACETED, "columns"];

  /* What weighs: own weights once there are some above 0, until then what weighed before. */
  function weighing(preset, weights, held) {
    if (preset !== "custom") return { preset: preset, weights: null };
    const isUsable = weights && weights.values.some((weight) => weight > 0);
    return isUsable ? { preset: preset, weights: weights.values } : { preset: held.preset, weights: held.weights };
  }

  function steer(...controls) {
    const codes = controls.splice(0, FACETED.length);
    const modes = controls.splice(0, MODED.length);
    const [columns, age, keepUnknown, anyField, preset, weights, k, onePerLesion, diversity, sort, low, high, held] =
      controls;
    const filters = {
      columns: columns || [],
      excluded: MODED.filter((field, place) => modes[place] === "not"),
      age_min: age && age[0] > low ? age[0] : null,
      age_max: age && age[1] < high ? age[1] : null,
      keep_unknown: Boolean(keepUnknown),
      any_field: Boolean(anyField),
    };
    FACETED.forEach((field, place) => (filters[field] = codes[place] || []));
    const chosen = {
      filters: filters,
      ...weighing(preset, weights, held),
      k: Number(k),
      offset: 0,
      one_per_lesion: Boolean(onePerLesion),
      diversity: Number(diversity),
      sort: sort,
    };
    // Dash drops a call that is asked again before its promise is kept, and the second with it: so not a promise
    clearTimeout(pending);
    pending = setTimeout(() => {
      if (!same(chosen, held)) window.dash_clientside.set_props("steering", { data: chosen });
    }, DEBOUNCE_MS);
  }

  /* Whether a button was pressed, not only drawn. */
  function pressed() {
    return trigger().triggered.some((entry) => entry.value);
  }

  /* Examples: a mark on a card sets or takes away, a step changes the weight; another image forgets all. */
  function mark(_marks, _steps, _staged, held) {
    const cause = trigger().triggered_id;
    const examples = held || [];
    if (cause === "staged") return examples.length ? [] : none();
    if (!cause || !pressed()) return none();
    const before = examples.find((example) => example.case === cause.case);
    const others = examples.filter((example) => example.case !== cause.case);
    if (cause.type === "example") {
      const same = before && before.weight > 0 === cause.weight > 0;
      return same ? others : [...others, { case: cause.case, weight: cause.weight }];
    }
    if (!before) return none();
    const weight = before.weight + cause.step;
    if (cause.step === 0 || weight * before.weight <= 0) return others;
    const bounded = Math.min(Math.max(weight, -4), 4);
    return examples.map((example) => (example === before ? { case: cause.case, weight: bounded } : example));
  }

  /* The case that a search starts from, until another image comes. */
  function startFrom(_start, _leave, _staged, open) {
    const cause = trigger().triggered_id;
    if (cause === "staged") return [null, none()];
    if (!cause || !pressed()) return [none(), none()];
    return cause === "case-start" ? [open ? open.id : null, false] : [null, none()];
  }

  /* The lesion that the user says is the one on the screen, until another image comes. */
  function setApart(_same, _leave, _staged, lesion) {
    const cause = trigger().triggered_id;
    if (cause === "staged") return [null, none()];
    if (!cause || !pressed()) return [none(), none()];
    return cause === "case-own" ? [lesion, false] : [null, none()];
  }

  /* Pages of matches; what the search starts from begins with the first. */
  function turnPage(_previous, _next, _query, _case, _lesion, _examples, held) {
    const cause = trigger().triggered_id;
    const step = cause === "page-next" ? held.k : cause === "page-previous" ? -held.k : -held.offset;
    if (!step || (String(cause).startsWith("page-") && !pressed())) return;
    const offset = Math.min(Math.max(held.offset + step, 0), 1000);
    window.dash_clientside.set_props("steering", { data: { ...held, offset: offset } });
  }

  function same(a, b) {
    if (a === b) return true;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
  }

  /* Which case to open: a card, a point of the map, or a step from the open one. */
  function openCase(_cards, point, previous, next, open, results) {
    const context = trigger();
    const cause = context.triggered_id;
    // quick clicks arrive together, as one call with a number that has grown by two
    const steps = (next || 0) - stepped.next - ((previous || 0) - stepped.previous);
    stepped = { previous: previous || 0, next: next || 0 };
    if (!context.triggered.some((entry) => entry.value)) return none();
    if (cause === "map") {
      const id = point.points[0].customdata;
      return id ? { id: id, at: Date.now() } : none();
    }
    if (cause === "case-previous" || cause === "case-next") {
      const order = (results ? results.matches : []).map((match) => match.case.id);
      const here = order.indexOf(open ? open.id : null);
      const place = Math.min(Math.max(here + steps, 0), order.length - 1);
      return here < 0 || place === here ? none() : { id: order[place], at: Date.now() };
    }
    return { id: cause.id, at: Date.now() };
  }

  /* How to draw: for the colours in use, and without WebGL where there is none (remote desktops). */
  function drawing(_toggled) {
    const context = document.createElement("canvas").getContext("webgl");
    const engine = context ? "scattergl" : "scatter";
    if (context) context.getExtension("WEBGL_lose_context")?.loseContext();
    const scheme = () => document.documentElement.getAttribute("data-mantine-color-scheme");
    // the attribute follows the toggle after the next paint
    setTimeout(() => {
      const drawing = { scheme: scheme() === "dark" ? "dark" : "light", engine: engine };
      window.dash_clientside.set_props("drawing", { data: drawing });
    }, 60);
  }

  /* An id in a path, encoded twice as in casekin.contracts.paths: it may hold slashes, or be "." or "..". */
  function urlSegment(id) {
    const once = id === "." || id === ".." ? id.replaceAll(".", "%2E") : encodeURIComponent(id);
    return encodeURIComponent(once);
  }

  /* The thumbnail under the pointer. */
  function hover(data, figure) {
    const point = data && data.points && data.points[0];
    if (!point || !point.bbox || !figure) return [false, none(), none()];
    const html = (type, props) => ({ namespace: "dash_html_components", type: type, props: props });
    const id = point.customdata;
    const trace = figure.data[point.curveNumber] || {};
    const name = html("Div", { children: trace.meta || "", className: "hover-name" });
    if (!id) return [true, point.bbox, [name]];
    const image = html("Img", { src: "/thumbnails/" + urlSegment(id), alt: "Case " + id });
    return [true, point.bbox, [image, name, html("Div", { children: id, className: "hover-id" })]];
  }

  /* A way on the map: of the rollout whose button was pressed, or to the open case; a new subject has none yet. */
  function showWay(_rows, _case, _query, _start, ways, toCase) {
    const context = trigger();
    const cause = context.triggered_id;
    if (cause === "query" || cause === "start-case") return [null, none(), none()];
    if (!context.triggered.some((entry) => entry.value)) return [none(), none(), none()];
    const way = cause === "case-way-map" ? toCase : ways && ways[String(cause.dimension)];
    return way ? [way, "map", false] : [none(), none(), none()];
  }

  const known = window.dash_clientside || {};
  const own = { stage, showQuery, steer, mark, startFrom, setApart, turnPage, openCase, drawing, hover, showWay };
  window.dash_clientside = { ...known, casekin: { ...known.casekin, ...own } };

  /* Arrow keys step through the matches while a case is open. */
  document.addEventListener("keydown", (event) => {
    const button = { ArrowLeft: "case-previous", ArrowRight: "case-next" }[event.key];
    const body = document.getElementById("case-body");
    if (!button || event.altKey || event.ctrlKey || event.metaKey || !body || body.offsetParent === null) return;
    const element = document.getElementById(button);
    if (element && !element.disabled) element.click();
  });

  /* Dash says nothing in production when its server is gone; the banner does. */
  const fetched = window.fetch;
  window.fetch = async function (...request) {
    const callback = String(request[0] && request[0].url ? request[0].url : request[0]).includes("_dash-update-component");
    const show = (gone) => {
      const banner = document.getElementById("page-unreachable");
      if (callback && banner) banner.hidden = !gone;
    };
    try {
      const answer = await fetched.apply(this, request);
      show(answer.status >= 500 || answer.status === 401 || answer.status === 413);
      return answer;
    } catch (error) {
      show(true);
      throw error;
    }
  };
})();
