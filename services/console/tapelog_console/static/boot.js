// Runs before anything is drawn: styles know that scripts run.
document.documentElement.classList.add("js");
