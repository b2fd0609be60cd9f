// Runs before the page is drawn, so that a stored choice of theme does not flash. A file of its own: the page's policy
// allows no inline script.
(function () {
  try {
    var theme = localStorage.getItem("gateway-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch (_) {
    // Storage may be forbidden; then the system's theme it is.
  }
})();
