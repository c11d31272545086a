// Which parts of the page have a script: each finds its own place and does nothing where there is none.
import { startSignIn } from "./signin.js";
import { startForms } from "./forms.js";
import { startLive } from "./live.js";
import { startPlayer } from "./player.js";

startSignIn();
startForms();
startLive();
startPlayer();
