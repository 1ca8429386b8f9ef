// One sound at a time; a line in the picture shows where in it the sound is. Without this file every
// card has the browser's own player.
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const JUMP = 0.5; // s, of an arrow key
let current = null; // the card that sounds

function setUp(card) {
  const [audio, button, picture] = ["audio", ".play", ".picture"].map((what) => card.querySelector(what));
  const playhead = card.querySelector(".playhead");
  const seconds = () => (Number.isFinite(audio.duration) ? audio.duration : Number(audio.dataset.seconds));
  const words = audio.getAttribute("aria-label");

  let beat = null;
  function draw() {
    const sounding = !audio.paused;
    card.classList.toggle("sounding", sounding);
    card.classList.toggle("paused", !sounding && audio.currentTime > 0);
    button.setAttribute("aria-label", `${sounding ? "Pause" : "Play"}: ${words}`);
    playhead.style.left = `${(100 * Math.min(audio.currentTime, seconds())) / seconds()}%`;
    // The playhead is what this page is about: it moves for everybody, but calmly where asked to.
    if (sounding && !beat) beat = calm.matches ? setTimeout(next, 250) : requestAnimationFrame(next);
  }
  function next() {
    beat = null;
    draw();
  }
  function seek(to) {
    audio.currentTime = Math.max(0, Math.min(to, seconds() - 0.01));
    draw();
  }
  async function play() {
    if (current && current !== me) current.rest();
    current = me;
    try {
      await audio.play();
    } catch (error) {
      if (error.name !== "AbortError") complain(); // an abort is a pause that came before the sound
    }
  }
  function complain() {
    if (card.querySelector(".trouble")) return;
    const said = document.createElement("p");
    said.className = "trouble";
    said.setAttribute("role", "alert");
    said.textContent = "This browser cannot play the sound: is sound.mp3 beside the picture?";
    button.closest(".words").after(said);
  }
  const me = {
    rest() {
      audio.pause();
      seek(0);
    },
  };

  audio.controls = false;
  button.hidden = false;
  card.classList.add("ready");
  button.addEventListener("click", () => (audio.paused ? play() : audio.pause()));
  button.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    seek(audio.currentTime + way * JUMP);
  });
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * seconds());
    play();
  });
  audio.addEventListener("play", draw);
  audio.addEventListener("pause", draw);
  audio.addEventListener("ended", () => me.rest());
  draw();
}

document.querySelectorAll(".card").forEach(setUp);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && current) current.rest();
});
