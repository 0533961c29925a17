/* Runs before the page is drawn, so that a chosen theme never flashes in the other colours. */
(() => {
  try {
    const theme = localStorage.getItem("triptych.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is forbidden here; the system's own theme holds.
  }
})();
