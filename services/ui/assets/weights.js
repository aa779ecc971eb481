/* Weights of the user's own: sliders, and buttons that set all of them. They are kept in the tab's session. */
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
  function changed(held, values, moved) {
    if (values.every((weight, index) => weight === held.values[index])) return held;
    const goesOn = moved && held.moved && held.moved.dimension === moved.dimension;
    const isOneMove = goesOn && moved.at - held.moved.at < ONE_MOVE_MS;
    const before = isOneMove ? held.before : [...held.before, held.values].slice(-KEPT);
    return { ...held, values: values, before: before, moved: moved || null };
  }

  function slid(held, sliders) {
    const values = held.values.map((weight, index) => {
      const at = sliders[index];
      return typeof at === "number" && at !== shown(weight) ? at : weight;
    });
    const moved = values.findIndex((weight, index) => weight !== held.values[index]);
    return changed(held, values, { dimension: moved, at: Date.now() });
  }

  function only(held, dimension) {
    return changed(
      held,
      held.values.map((weight, index) => (index === dimension ? weight || 1 : 0)),
    );
  }

  function pressed(held, button, model) {
    if (button === "weights-undo") {
      const last = held.before[held.before.length - 1];
      return last ? { ...held, values: last, before: held.before.slice(0, -1), moved: null } : held;
    }
    const start = button === "weights-reset" ? held.start : button.slice("weights-".length);
    return { ...changed(held, preset(model, start)), start: start };
  }

  function after(held, sliders, model) {
    const cause = trigger().triggered_id;
    if (cause && cause.type === "weight") return slid(held, sliders);
    const isPress = trigger().triggered.some((entry) => entry.prop_id.endsWith(".n_clicks") && entry.value);
    if (!isPress) return held;
    return cause.type === "weight-only" ? only(held, cause.dimension) : pressed(held, cause, model);
  }

  /* The list may begin below the fold of the side. */
  function show() {
    setTimeout(() => document.getElementById("weights-panel").scrollIntoView({ block: "nearest" }), 60);
  }

  function weigh(sliders, _only, _clinical, _visual, _reset, _undo, chosen, model, held, steering) {
    const same = sliders.map(none);
    if (!model || chosen !== "custom") return [none(), same, same, true, true, true, true];
    if (trigger().triggered_id === "preset") show();
    const isKnown = held && held.version === model.version;
    const state = isKnown ? after(held, sliders, model) : begun(model, steering.preset);
    const shownNow = sliders.map((_, index) => shown(state.values[index] || 0));
    const isReset = preset(model, state.start).every((weight, index) => weight === state.values[index]);
    const isAllZero = state.values.every((weight) => weight === 0);
    return [
      state === held ? none() : state,
      shownNow,
      shownNow.map((weight) => weight.toFixed(2)),
      state.before.length === 0,
      isReset,
      !isAllZero,
      false,
    ];
  }

  /* Rows whose names hold what is looked for. */
  function findWeights(text, rows, model) {
    const wanted = (text || "").trim().toLowerCase();
    const names = model ? model.dimensions : [];
    const hidden = rows.map((row) => !(names[row.dimension] || "").toLowerCase().includes(wanted));
    return [hidden, !(rows.length && hidden.every(Boolean))];
  }

  const known = window.dash_clientside || {};
  window.dash_clientside = { ...known, casekin: { ...known.casekin, weigh, findWeights } };
})();
