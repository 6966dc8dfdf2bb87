// A slider and its number are one setting: whichever is moved takes the other along. htmx does the rest.
document.addEventListener("input", (event) => {
  const moved = event.target;
  if (moved.dataset && moved.dataset.for) {
    document.getElementById(moved.dataset.for).value = moved.value;
  } else if (moved.id) {
    const slider = document.querySelector(`input[type=range][data-for="${CSS.escape(moved.id)}"]`);
    if (slider && moved.value.trim() !== "" && !Number.isNaN(Number(moved.value))) slider.value = moved.value;
  }
}, true);
