"use strict";
// One image in a page of its own, which a report links to.
// @include make.js
// @include viewer.js
const content = JSON.parse($("full").textContent);
setUpTheme();
document.title = content.name;
$("title").append(...wrapped(content.name));
$("viewer").append(viewerOf(content, content.name));
