/* Callbacks that run in the browser: the uploaded image stays here, and pointing needs no server. */
(function () {
  "use strict";

  // characters of base64 that the page's server accepts, see LARGEST_BODY in security/request_guard.py
  const LONGEST_UPLOAD = 35e6;
  const DEBOUNCE_MS = 250;
  const none = () => window.dash_clientside.no_update;
  const trigger = () => window.dash_clientside.callback_context;
  let pending = null;
  let stepped = { previous: 0, next: 0 };

  /* Chosen files as staged images; one that is too large to send goes without its contents, and the server says so. */
  function stagedImages(contents, names) {
    return (contents || []).map((content, place) => ({
      contents: content.length > LONGEST_UPLOAD ? null : content,
      name: (names || [])[place] || "image",
      at: Date.now() + place / 1000,
    }));
  }

  let waiting = []; // additional images that have not been sent yet
  let sent = null; // when the one that the server encodes was chosen

  /* The first file becomes the staged image, the others wait as additional images of the same lesion. The upload is
     emptied so that the same file can be chosen again. */
  function stage(contents, _forget, names) {
    if (trigger().triggered_id === "forget") {
      waiting = [];
      return [null, null];
    }
    const [first, ...others] = stagedImages(contents, names);
    if (!first) return [none(), none()];
    waiting = others;
    return [first, null];
  }

  /* Additional images: they are sent one after the other, once the first has been encoded or refused. Dash calls this
     once for a new first image and its encoding, with both as triggers. */
  function addImages(contents, encoded, _removals, _staged, _query, names, current) {
    const cause = trigger().triggered_id;
    const changed = (property) => trigger().triggered.some((entry) => entry.prop_id === property);
    const isNewLesion = changed("staged.data");
    const chosen = changed("upload-additional.contents") ? stagedImages(contents, names) : [];
    waiting = [...waiting, ...chosen];
    let images = none();
    if (isNewLesion) {
      images = null;
      sent = null;
    } else if (changed("additional-encoded.data") && encoded && encoded.at === sent) {
      // what does not match was chosen for an earlier lesion
      sent = null;
      if (encoded.image) images = [...(current || []), encoded.image];
    } else if (cause && cause.type === "remove-additional" && pressed()) {
      images = (current || []).filter((_, place) => place !== cause.place);
    }
    if (sent === null && waiting.length && (!isNewLesion || changed("query.data"))) {
      const next = waiting.shift();
      sent = next.at;
      // not an output: what comes back is an input here, and Dash calls no callbacks in a circle
      window.dash_clientside.set_props("additional-staged", { data: next });
    }
    return [images, chosen.length ? null : none(), isNewLesion || chosen.length ? [] : none()];
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

  /* The weights of a search: the user's own once there are some above 0, until then those before. */
  function weighing(preset, weights, current) {
    if (preset !== "custom") return { preset: preset, weights: null };
    const isUsable = weights && weights.values.some((weight) => weight > 0);
    return isUsable ? { preset: preset, weights: weights.values } : { preset: current.preset, weights: current.weights };
  }

  function steer(...controls) {
    const codes = controls.splice(0, FACETED.length);
    const modes = controls.splice(0, MODED.length);
    const [columns, age, keepUnknown, anyField, preset, weights, k, onePerLesion, diversity, sort, low, high, current] =
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
      ...weighing(preset, weights, current),
      k: Number(k),
      offset: 0,
      one_per_lesion: Boolean(onePerLesion),
      diversity: Number(diversity),
      sort: sort,
    };
    // not a promise: Dash drops a call that is repeated before its promise is fulfilled, and the second with it
    clearTimeout(pending);
    pending = setTimeout(() => {
      if (!same(chosen, current)) window.dash_clientside.set_props("steering", { data: chosen });
    }, DEBOUNCE_MS);
  }

  /* Whether a button was pressed, not only drawn. */
  function pressed() {
    return trigger().triggered.some((entry) => entry.value);
  }

  /* Examples: a button on a card adds or removes one, a step changes its weight; another image removes all. */
  function markExample(_marks, _steps, _staged, current) {
    const cause = trigger().triggered_id;
    const examples = current || [];
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

  /* The lesion that the user calls the one of the upload, until another image comes. */
  function setOwnLesion(_same, _leave, _staged, lesion) {
    const cause = trigger().triggered_id;
    if (cause === "staged") return [null, none()];
    if (!cause || !pressed()) return [none(), none()];
    return cause === "case-own" ? [lesion, false] : [null, none()];
  }

  /* Pages of matches; another start of the search shows the first. */
  function turnPage(_previous, _next, _query, _case, _lesion, _examples, current) {
    const cause = trigger().triggered_id;
    const step = cause === "page-next" ? current.k : cause === "page-previous" ? -current.k : -current.offset;
    if (!step || (String(cause).startsWith("page-") && !pressed())) return;
    const offset = Math.min(Math.max(current.offset + step, 0), 1000);
    window.dash_clientside.set_props("steering", { data: { ...current, offset: offset } });
  }

  function same(a, b) {
    if (a === b) return true;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
  }

  /* Which case to open: of a card, of a step of a rollout, of a point of the map, or next to the open one. */
  function openCase(_cards, _realCases, point, previous, next, open, results) {
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
  function mapLook(_toggled) {
    const context = document.createElement("canvas").getContext("webgl");
    const engine = context ? "scattergl" : "scatter";
    if (context) context.getExtension("WEBGL_lose_context")?.loseContext();
    const scheme = () => document.documentElement.getAttribute("data-mantine-color-scheme");
    // the attribute follows the toggle after the next paint
    setTimeout(() => {
      const look = { scheme: scheme() === "dark" ? "dark" : "light", engine: engine };
      window.dash_clientside.set_props("map-look", { data: look });
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

  /* The path on the map: of the rollout whose button was pressed, or to the open case; a new subject has none yet. */
  function showPath(_rows, _case, _query, _start, paths, toCase) {
    const context = trigger();
    const cause = context.triggered_id;
    if (cause === "query" || cause === "start-case") return [null, none(), none()];
    if (!context.triggered.some((entry) => entry.value)) return [none(), none(), none()];
    const path = cause === "case-path-map" ? toCase : paths && paths[String(cause.dimension)];
    return path ? [path, "map", false] : [none(), none(), none()];
  }

  /* What decides which cases are near: it changes with weights and own lesion only, so that filters start no rollout. */
  function nearness(steering, lesion, current) {
    const chosen = { preset: steering.preset, weights: steering.weights, own_lesion: lesion || null };
    return same(chosen, current) ? none() : chosen;
  }

  /* What steps show, chosen on either switch and kept for the session; the style sheet does the rest. */
  function showSteps(inRollouts, inPath, kept) {
    const cause = trigger().triggered_id;
    const chosen = { "rollouts-steps": inRollouts, "case-path-steps": inPath }[cause] || kept || "both";
    document.documentElement.dataset.steps = chosen;
    // not outputs: the switches are inputs here, and Dash calls no callbacks in a circle
    if (inRollouts !== chosen) window.dash_clientside.set_props("rollouts-steps", { value: chosen });
    if (inPath !== chosen) window.dash_clientside.set_props("case-path-steps", { value: chosen });
    if (kept !== chosen) window.dash_clientside.set_props("steps-shown", { data: chosen });
  }

  const known = window.dash_clientside || {};
  const functions = {
    stage,
    addImages,
    showQuery,
    steer,
    markExample,
    startFrom,
    setOwnLesion,
    turnPage,
    openCase,
    nearness,
    showSteps,
    mapLook,
    hover,
    showPath,
  };
  window.dash_clientside = { ...known, casekin: { ...known.casekin, ...functions } };

  /* Arrow keys step through the matches while a case is open. */
  document.addEventListener("keydown", (event) => {
    const button = { ArrowLeft: "case-previous", ArrowRight: "case-next" }[event.key];
    const body = document.getElementById("case-body");
    // a switch in the dialog has the arrow keys for itself
    if (!button || event.target instanceof HTMLInputElement || event.altKey || event.ctrlKey || event.metaKey || !body || body.offsetParent === null) return;
    const element = document.getElementById(button);
    if (element && !element.disabled) element.click();
  });

  /* Dash shows nothing in production when its server is gone; the banner does. */
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
