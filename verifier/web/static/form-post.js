// Post the answer to the service without a click, where scripts run.
"use strict";
document.getElementById("form-post").submit();
