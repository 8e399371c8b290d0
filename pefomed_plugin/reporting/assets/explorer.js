"use strict";
// The page of a run. Reads JSON blocks, builds everything with textContent (nothing of the data is ever HTML), and draws
// answers as the reader scrolls.

// @include make.js

const NOT_GIVEN = "not given";
const TOGETHER = " side by side";
const data = JSON.parse($("data").textContent);
const samples = data.samples.map((row) => { const sample = {}; data.columns.forEach((name, at) => { sample[name] = row[at]; }); return sample; });
const state = { shown: [], drawn: 0, chunks: [], view: "cards", open: -1, isPushed: false, isGoingBack: false, isApplied: false, wasTyping: false };

// -- summary, breakdowns, runs beside each other ----------------------------------------------------------------------

// @include explorer_summary.js

// -- judges and people ------------------------------------------------------------------------------------------------

// @include explorer_ratings.js

// -- does it look? ----------------------------------------------------------------------------------------------------

// @include explorer_reliance.js

// -- filters ----------------------------------------------------------------------------------------------------------

// @include explorer_filters.js

// -- the address ------------------------------------------------------------------------------------------------------

// @include explorer_address.js

// -- answers ----------------------------------------------------------------------------------------------------------

// @include explorer_answers.js

// @include viewer.js

// @include explorer_detail.js

// @include explorer_export.js

setUpTheme();
setUpFilters();
setUpBreakdowns();
showRatings();
showReliance();
showComparison();
showSummary();
setUpDialogs();
setUpPrint();
document.querySelectorAll(".plain-table").forEach(saysThatItScrolls);
$("more").addEventListener("click", () => drawMore());
followAddress();
addEventListener("popstate", followAddress);
