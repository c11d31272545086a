// The sign-in code stands behind the # of the link, which browsers never send. Take it, clear it, post it.
export function startSignIn() {
  const form = document.querySelector("[data-sign-in]");
  const code = window.location.hash.slice(1);
  if (!form || !code) return;
  window.history.replaceState(null, "", window.location.pathname);
  form.elements.code.value = code;
  document.querySelector("[data-sign-in-status]").textContent = "Signing in…";
  form.requestSubmit();
}
