/* Guess first: whoever wants to may hide what the cells of a lesson show until they ask for it. */

const KEY = "itskit-guess-first";

function remembered() {
  try {
    return localStorage.getItem(KEY) === "yes";
  } catch {
    return false; // a browser that keeps nothing for files
  }
}

function remember(isOn) {
  try {
    localStorage.setItem(KEY, isOn ? "yes" : "no");
  } catch {
    // then it is asked again on the next page
  }
}

function withButton(output) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "its-answer";
  button.textContent = "Show what it says";
  button.hidden = true;
  button.addEventListener("click", () => {
    output.classList.remove("its-hidden");
    button.hidden = true;
  });
  output.prepend(button);
  return button;
}

function guessFirst() {
  const title = document.querySelector("article h1");
  // A question has to stay in sight.
  const outputs = [...document.querySelectorAll(".cell_output")].filter(
    (output) => !output.querySelector(".its-book-predict"),
  );
  if (!title || !outputs.length) return;
  const buttons = outputs.map(withButton);
  const label = document.createElement("label");
  label.className = "its-switch";
  const box = document.createElement("input");
  box.type = "checkbox";
  label.append(box, "Guess first: hide what the cells show until I ask");
  title.after(label);
  const apply = () => {
    document.body.classList.toggle("its-guess", box.checked);
    outputs.forEach((output) => output.classList.toggle("its-hidden", box.checked));
    buttons.forEach((button) => (button.hidden = !box.checked));
  };
  box.addEventListener("change", () => {
    remember(box.checked);
    apply();
  });
  box.checked = remembered();
  apply();
}

/* Furo's switch says light or dark on <body>; the toolkit's own parts look for it on <html>. */
function sameDress() {
  const tell = () => {
    const { theme } = document.body.dataset;
    if (theme === "light" || theme === "dark") document.documentElement.setAttribute("theme", theme);
    else document.documentElement.removeAttribute("theme");
  };
  new MutationObserver(tell).observe(document.body, { attributeFilter: ["data-theme"] });
  tell();
}

document.addEventListener("DOMContentLoaded", () => {
  sameDress();
  guessFirst();
});
