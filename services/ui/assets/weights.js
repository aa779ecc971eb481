/* The user's own weights: sliders, and buttons that set all of them. They are stored in the tab's session. */
(function () {
  "use strict";

  const KEPT = 50; // steps back
  const ONE_MOVE_MS = 1500; // presses of an arrow key within this time are one step back
  const none = () => window.dash_clientside.no_update;
  const trigger = () => window.dash_clientside.callback_context;
  // sliders show two decimals; what was not touched stays as exact as the bundle has it
  const shown = (weight) => Math.round(weight * 100) / 100;

  function preset(model, start) {
    return start === "visual" ? model.clinical.map(() => 1) : [...model.clinical];
  }

  function begun(model, start) {
    return { version: model.version, start: start, values: preset(model, start), before: [], moved: null };
  }

  /* The state after a change; one that changes nothing is no step to take back. */
  function changed(current, values, moved) {
    if (values.every((weight, index) => weight === current.values[index])) return current;
    const goesOn = moved && current.moved && current.moved.dimension === moved.dimension;
    const isOneMove = goesOn && moved.at - current.moved.at < ONE_MOVE_MS;
    const before = isOneMove ? current.before : [...current.before, current.values].slice(-KEPT);
    return { ...current, values: values, before: before, moved: moved || null };
  }

  function slid(current, sliders) {
    const values = current.values.map((weight, index) => {
      const at = sliders[index];
      return typeof at === "number" && at !== shown(weight) ? at : weight;
    });
    const moved = values.findIndex((weight, index) => weight !== current.values[index]);
    return changed(current, values, { dimension: moved, at: Date.now() });
  }

  function only(current, dimension) {
    return changed(
      current,
      current.values.map((weight, index) => (index === dimension ? weight || 1 : 0)),
    );
  }

  function pressed(current, button, model) {
    if (button === "weights-undo") {
      const last = current.before[current.before.length - 1];
      return last ? { ...current, values: last, before: current.before.slice(0, -1), moved: null } : current;
    }
    const start = button === "weights-reset" ? current.start : button.slice("weights-".length);
    return { ...changed(current, preset(model, start)), start: start };
  }

  function after(current, sliders, model) {
    const cause = trigger().triggered_id;
    if (cause && cause.type === "weight") return slid(current, sliders);
    const isPress = trigger().triggered.some((entry) => entry.prop_id.endsWith(".n_clicks") && entry.value);
    if (!isPress) return current;
    return cause.type === "weight-only" ? only(current, cause.dimension) : pressed(current, cause, model);
  }

  /* The list may begin below the fold of the side. */
  function show() {
    setTimeout(() => document.getElementById("weights-panel").scrollIntoView({ block: "nearest" }), 60);
  }

  function weigh(sliders, _only, _clinical, _visual, _reset, _undo, chosen, model, current, steering) {
    const same = sliders.map(none);
    if (!model || chosen !== "custom") return [none(), same, same, true, true, true, true];
    if (trigger().triggered_id === "preset") show();
    const isKnown = current && current.version === model.version;
    const state = isKnown ? after(current, sliders, model) : begun(model, steering.preset);
    const shownNow = sliders.map((_, index) => shown(state.values[index] || 0));
    const isReset = preset(model, state.start).every((weight, index) => weight === state.values[index]);
    const isAllZero = state.values.every((weight) => weight === 0);
    return [
      state === current ? none() : state,
      shownNow,
      shownNow.map((weight) => weight.toFixed(2)),
      state.before.length === 0,
      isReset,
      !isAllZero,
      false,
    ];
  }

  /* Hide the rows whose names do not contain the text. */
  function findWeights(text, rows, model) {
    const wanted = (text || "").trim().toLowerCase();
    const names = model ? model.dimensions : [];
    const hidden = rows.map((row) => !(names[row.dimension] || "").toLowerCase().includes(wanted));
    return [hidden, !(rows.length && hidden.every(Boolean))];
  }

  const known = window.dash_clientside || {};
  window.dash_clientside = { ...known, casekin: { ...known.casekin, weigh, findWeights } };
})();
