/*
 * <byoid-verify endpoint="/identify">: "Identify with your wallet" for any web page. One file, no dependencies.
 *
 * The page talks only to its own service, which holds the API key of the verifier. At `endpoint` the service answers:
 *   POST   {endpoint}                       -> {id, expires_in, same_device: {link, wallets: [{name, link, logo}]},
 *                                               cross_device: {link, qr}, digital_credentials, events}
 *   GET    {endpoint}/{id}                  -> {state, continue}   pending declined refused answered accepted rejected expired
 *   GET    {events}                         -> the same as server-sent events; without `events`, or if they end, it polls
 *   POST   {endpoint}/{id}/digital          -> {requests}          for navigator.credentials.get
 *   POST   {endpoint}/{id}/digital/response <- {protocol, data}    what the browser gave
 *   DELETE {endpoint}/{id}                  cancel
 * An `id` counts only in the browser session that started it. Claims never come here: `continue` is a page of the
 * service, and the service reads them. Spec: OpenID4VP 1.0 sections 5, 13.3, appendix A.
 *
 * Nothing is written as markup or inline style, so it runs under `script-src`/`style-src` without 'unsafe-inline' and
 * under `require-trusted-types-for 'script'`. What is inside the element shows where scripts don't run.
 * Colours: --byoid-accent, --byoid-accent-ink, --byoid-surface, --byoid-ink, --byoid-quiet, --byoid-edge.
 */
"use strict";
(() => {
  const POLL_MS = 1000; // in the first minute; three times as long afterwards
  const REQUEST_MS = 20000;
  const CHOICE = "byoid-wallet"; // the wallet that was chosen last, at this service, in this browser
  const ENDED = ["accepted", "rejected", "expired"];
  const SETTLED = ["answered", ...ENDED]; // nothing more is heard of them here

  const TEXTS = {
    en: {
      identify: "Identify with your wallet", choose: "Where is your wallet?",
      here: "On this device", wallet: "Continue with {name}", last: "Continue with {name} (last used)",
      app: "Open the wallet app", elsewhere: "On another device",
      scan: "Scan this code with that device’s camera or wallet.",
      check: "Your wallet shows who asks and what for. Approve only if it names the service you are using.",
      qr: "QR code that opens this request in a wallet", browser: "Let the browser find my wallet",
      text: "The request as a link", copy: "Copy the link", copied: "The link is copied.", cancel: "Cancel", retry: "Try again",
      starting: "One moment…", waiting: "Waiting for your wallet, until {time}.",
      opening: "Opening the wallet app. If nothing happens, there is none on this device: choose another way.",
      answered: "Your wallet has answered. Go on in the window that your wallet opened.",
      accepted: "Done. You are being taken on.", declined: "Your wallet declined, and nothing was shared. Choose again, or cancel.",
      refused: "An answer came that could not be verified. Choose again, or cancel.",
      rejected: "What your wallet showed could not be accepted. You can try again.",
      expired: "The time for this request is over. You can try again.", cancelled: "Cancelled.",
      offline: "The connection is interrupted. Trying again…", failed: "That did not work. Please try again in a moment.",
      closed: "The browser’s window was closed, and nothing was shared. Choose again, or cancel.",
    },
    de: {
      identify: "Mit Ihrer Wallet ausweisen", choose: "Wo ist Ihre Wallet?",
      here: "Auf diesem Gerät", wallet: "Weiter mit {name}", last: "Weiter mit {name} (zuletzt benutzt)",
      app: "Wallet-App öffnen", elsewhere: "Auf einem anderen Gerät",
      scan: "Scannen Sie diesen Code mit der Kamera oder der Wallet des anderen Geräts.",
      check: "Ihre Wallet zeigt, wer fragt und wofür. Stimmen Sie nur zu, wenn sie den Dienst nennt, den Sie gerade nutzen.",
      qr: "QR-Code, der diese Anfrage in einer Wallet öffnet", browser: "Den Browser meine Wallet finden lassen",
      text: "Die Anfrage als Link", copy: "Link kopieren", copied: "Der Link ist kopiert.", cancel: "Abbrechen", retry: "Noch einmal versuchen",
      starting: "Einen Moment…", waiting: "Warten auf Ihre Wallet, bis {time} Uhr.",
      opening: "Die Wallet-App wird geöffnet. Wenn nichts geschieht, ist auf diesem Gerät keine: Wählen Sie einen anderen Weg.",
      answered: "Ihre Wallet hat geantwortet. Machen Sie in dem Fenster weiter, das Ihre Wallet geöffnet hat.",
      accepted: "Fertig. Sie werden weitergeleitet.", declined: "Ihre Wallet hat abgelehnt, es wurde nichts geteilt. Wählen Sie neu oder brechen Sie ab.",
      refused: "Es kam eine Antwort, die sich nicht prüfen ließ. Wählen Sie neu oder brechen Sie ab.",
      rejected: "Was Ihre Wallet gezeigt hat, konnte nicht angenommen werden. Sie können es noch einmal versuchen.",
      expired: "Die Zeit für diese Anfrage ist abgelaufen. Sie können es noch einmal versuchen.", cancelled: "Abgebrochen.",
      offline: "Die Verbindung ist unterbrochen. Neuer Versuch…", failed: "Das hat nicht geklappt. Bitte versuchen Sie es gleich noch einmal.",
      closed: "Das Fenster des Browsers wurde geschlossen, es wurde nichts geteilt. Wählen Sie neu oder brechen Sie ab.",
    },
    fr: {
      identify: "S’identifier avec votre portefeuille", choose: "Où est votre portefeuille ?",
      here: "Sur cet appareil", wallet: "Continuer avec {name}", last: "Continuer avec {name} (dernier utilisé)",
      app: "Ouvrir l’application portefeuille", elsewhere: "Sur un autre appareil",
      scan: "Scannez ce code avec l’appareil photo ou le portefeuille de l’autre appareil.",
      check: "Votre portefeuille montre qui demande et pourquoi. N’acceptez que s’il nomme le service que vous utilisez.",
      qr: "Code QR qui ouvre cette demande dans un portefeuille", browser: "Laisser le navigateur trouver mon portefeuille",
      text: "La demande sous forme de lien", copy: "Copier le lien", copied: "Le lien est copié.", cancel: "Annuler", retry: "Réessayer",
      starting: "Un instant…", waiting: "En attente de votre portefeuille, jusqu’à {time}.",
      opening: "Ouverture de l’application portefeuille. Si rien ne se passe, il n’y en a pas sur cet appareil : choisissez une autre voie.",
      answered: "Votre portefeuille a répondu. Continuez dans la fenêtre qu’il a ouverte.",
      accepted: "C’est fait. Vous êtes redirigé.", declined: "Votre portefeuille a refusé et rien n’a été partagé. Choisissez à nouveau ou annulez.",
      refused: "Une réponse est arrivée, mais n’a pas pu être vérifiée. Choisissez à nouveau ou annulez.",
      rejected: "Ce que votre portefeuille a montré n’a pas pu être accepté. Vous pouvez réessayer.",
      expired: "Le délai de cette demande est écoulé. Vous pouvez réessayer.", cancelled: "Annulé.",
      offline: "La connexion est interrompue. Nouvel essai…", failed: "Cela n’a pas fonctionné. Veuillez réessayer dans un instant.",
      closed: "La fenêtre du navigateur a été fermée et rien n’a été partagé. Choisissez à nouveau ou annulez.",
    },
    es: {
      identify: "Identificarse con su cartera", choose: "¿Dónde está su cartera?",
      here: "En este dispositivo", wallet: "Continuar con {name}", last: "Continuar con {name} (última usada)",
      app: "Abrir la aplicación de cartera", elsewhere: "En otro dispositivo",
      scan: "Escanee este código con la cámara o la cartera del otro dispositivo.",
      check: "Su cartera muestra quién pregunta y para qué. Acepte solo si nombra el servicio que está usando.",
      qr: "Código QR que abre esta solicitud en una cartera", browser: "Dejar que el navegador encuentre mi cartera",
      text: "La solicitud como enlace", copy: "Copiar el enlace", copied: "El enlace está copiado.", cancel: "Cancelar", retry: "Intentar de nuevo",
      starting: "Un momento…", waiting: "Esperando a su cartera, hasta las {time}.",
      opening: "Abriendo la aplicación de cartera. Si no ocurre nada, no hay ninguna en este dispositivo: elija otra vía.",
      answered: "Su cartera ha respondido. Continúe en la ventana que abrió su cartera.",
      accepted: "Listo. Le estamos llevando a la página siguiente.", declined: "Su cartera ha rechazado la solicitud y no se compartió nada. Elija de nuevo o cancele.",
      refused: "Llegó una respuesta que no se pudo verificar. Elija de nuevo o cancele.",
      rejected: "No se pudo aceptar lo que mostró su cartera. Puede intentarlo de nuevo.",
      expired: "El tiempo de esta solicitud ha terminado. Puede intentarlo de nuevo.", cancelled: "Cancelado.",
      offline: "La conexión se ha interrumpido. Intentando de nuevo…", failed: "No ha funcionado. Inténtelo de nuevo en un momento.",
      closed: "La ventana del navegador se cerró y no se compartió nada. Elija de nuevo o cancele.",
    },
  };

  const STYLE = `
    :host { --accent: var(--byoid-accent, #0b57a4); --accent-ink: var(--byoid-accent-ink, #fff); --surface: var(--byoid-surface, #fff);
      --ink: var(--byoid-ink, #16202b); --quiet: var(--byoid-quiet, #4c5a69); --edge: var(--byoid-edge, #6b7989);
      display: block; max-width: 34rem; color: var(--ink); font: inherit; line-height: 1.5; text-align: start; }
    @media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { --accent: var(--byoid-accent, #8cc2ff);
      --accent-ink: var(--byoid-accent-ink, #0a1a2b); --surface: var(--byoid-surface, #1a222c); --ink: var(--byoid-ink, #eef2f6);
      --quiet: var(--byoid-quiet, #b3bfcb); --edge: var(--byoid-edge, #8b99a8); } }
    :host([hidden]), [hidden] { display: none !important; }
    * { box-sizing: border-box; overflow-wrap: anywhere; }
    .panel { background: var(--surface); border: 1px solid var(--edge); border-radius: 14px; padding: 1rem; margin: 0 0 .75rem; }
    h2, h3 { line-height: 1.25; margin: 0 0 .6rem; font-weight: 650; } h2 { font-size: 1.25em; } h3 { font-size: 1.05em; }
    h2:focus { outline: none; }
    section { display: grid; gap: .6rem; margin: 0 0 1.1rem; } section > * { margin: 0; }
    p { margin: 0 0 .75rem; } .quiet { color: var(--quiet); font-size: .95em; }
    .button { font: inherit; font-weight: 600; min-height: 48px; width: 100%; padding: .6rem 1rem; border-radius: 12px; cursor: pointer;
      border: 2px solid var(--accent); background: transparent; color: var(--accent); display: inline-flex; align-items: center;
      justify-content: center; text-align: center; text-decoration: none; }
    .button.first { background: var(--accent); color: var(--accent-ink); }
    .button.plain { border-color: transparent; text-decoration: underline; font-weight: 500; }
    .button img { width: 1.5em; height: 1.5em; margin-inline-end: .5em; object-fit: contain; }
    .button[disabled] { opacity: .6; cursor: default; }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 6px; }
    .qr { display: block; width: min(100%, 17rem); height: auto; margin: 0 auto; padding: .25rem; border-radius: 10px; background: #fff; }
    summary { min-height: 44px; padding: .5rem 0; cursor: pointer; color: var(--accent); }
    code { display: block; padding: .6rem; margin: 0 0 .6rem; border: 1px dashed var(--edge); border-radius: 8px; font-size: .8em; user-select: all; }
    [role="status"] { margin: 0 0 .75rem; font-weight: 550; } [role="status"]:empty { display: none; }
    [role="status"]::before { content: ""; display: inline-block; width: .7em; height: .7em; margin-inline-end: .5em; border-radius: 50%; background: var(--accent); }
    @media (prefers-reduced-motion: no-preference) { :host([state="pending"]) [role="status"]::before { animation: pulse 1.6s ease-in-out infinite; } }
    @keyframes pulse { 50% { opacity: .25; } }
    @media (forced-colors: active) { [role="status"]::before { background: CanvasText; } }
  `;

  /** An error that a sentence stands for. */
  class Refused extends Error {}

  class ByoidVerify extends HTMLElement {
    #attempt = null; // what the service answered to the start
    #expires = 0;
    #eager = 0;
    #timer = 0;
    #events = null;
    #abort = new AbortController();
    #words = TEXTS.en;
    #status;
    #body;

    connectedCallback() {
      this.#words = TEXTS[this.#language()];
      if (!this.shadowRoot) this.#build();
      document.addEventListener("visibilitychange", this.#awake);
      window.addEventListener("pageshow", this.#awake);
    }

    disconnectedCallback() {
      document.removeEventListener("visibilitychange", this.#awake);
      window.removeEventListener("pageshow", this.#awake);
      this.#stop();
    }

    #build() {
      const root = this.attachShadow({ mode: "open" });
      dress(root);
      this.#body = make("div", { lang: this.#language() });
      this.#status = make("p", { role: "status", "aria-live": "polite", lang: this.#language(), part: "status" });
      root.append(this.#status, this.#body); // the status above: on a phone it would be out of sight below
      this.#idle("");
    }

    #language() {
      const wanted = [this.lang, this.closest("[lang]")?.lang, ...navigator.languages].filter(Boolean);
      return wanted.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => tag in TEXTS) ?? "en";
    }

    // What is shown -------------------------------------------------------------------------------------------------

    #idle(status, label = this.#words.identify) {
      const hadFocus = this.shadowRoot.activeElement;
      this.#stop();
      const button = this.#button(label, () => this.#start(), "first");
      button.id = "byoid-identify";
      this.#body.replaceChildren(button);
      this.#say(status);
      if (hadFocus) button.focus();
    }

    #say(text) {
      if (this.#status.textContent !== text) this.#status.textContent = text;
    }

    #waiting() {
      const language = this.#language();
      const region = navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language; // en-GB is not en-US
      const time = new Date(this.#expires).toLocaleTimeString(region, { hour: "2-digit", minute: "2-digit" });
      return fill(this.#words.waiting, { time });
    }

    #offer() {
      const heading = make("h2", { tabindex: "-1" }, this.#words.choose);
      const panel = make("div", { class: "panel", part: "panel" }, heading);
      const here = this.#here(), elsewhere = this.#elsewhere();
      const handheld = matchMedia("(pointer: coarse)").matches; // a phone seldom scans its own screen
      panel.append(...(handheld ? [here, elsewhere] : [elsewhere, here]).filter(Boolean));
      panel.append(make("p", { class: "quiet" }, this.#words.check));
      panel.append(this.#button(this.#words.cancel, () => this.#cancel(), "plain", "byoid-cancel"));
      this.#body.replaceChildren(panel);
      heading.focus();
    }

    #here() {
      const offered = this.#attempt.same_device;
      if (!offered) return null;
      const remembered = recall();
      const wallets = [...(offered.wallets ?? [])].sort((one, other) => (other.name === remembered) - (one.name === remembered));
      const section = make("section", { "aria-labelledby": "here" }, make("h3", { id: "here" }, this.#words.here));
      for (const [index, { name, link, logo }] of wallets.entries()) {
        const text = fill(name === remembered ? this.#words.last : this.#words.wallet, { name });
        const anchor = make("a", { class: index ? "button" : "button first", href: safe(link), "data-wallet": name }, ...picture(logo), text);
        anchor.addEventListener("click", () => remember(name));
        section.append(anchor);
      }
      const app = make("a", { class: wallets.length ? "button" : "button first", id: "byoid-app", href: safe(offered.link) }, this.#words.app);
      app.addEventListener("click", () => this.#say(this.#words.opening));
      section.append(app);
      if (this.#attempt.digital_credentials && hasDigitalCredentials()) {
        section.append(this.#button(this.#words.browser, () => this.#digital(), "", "byoid-digital"));
      }
      return section;
    }

    #elsewhere() {
      const offered = this.#attempt.cross_device;
      if (!offered) return null;
      const image = make("img", { class: "qr", id: "byoid-qr", src: offered.qr, alt: this.#words.qr, width: "272", height: "272" });
      const link = make("code", { id: "byoid-link" }, offered.link);
      const copy = this.#button(this.#words.copy, () => this.#copy(offered.link), "", "byoid-copy");
      return make("section", { "aria-labelledby": "elsewhere" },
        make("h3", { id: "elsewhere" }, this.#words.elsewhere), make("p", {}, this.#words.scan), image,
        make("details", {}, make("summary", {}, this.#words.text), link, copy));
    }

    #button(text, act, kind, id) {
      const button = make("button", { type: "button", class: `button ${kind}`, ...(id && { id }) }, text);
      button.addEventListener("click", act);
      return button;
    }

    // What is done --------------------------------------------------------------------------------------------------

    async #start() {
      this.shadowRoot.getElementById("byoid-identify").disabled = true;
      this.#say(this.#words.starting);
      this.#abort = new AbortController();
      try {
        this.#attempt = await this.#call("POST", "");
        this.#expires = Date.now() + this.#attempt.expires_in * 1000;
        this.#eager = Date.now() + 60_000;
        this.#offer();
        this.#report("pending");
        this.#say(this.#waiting());
        this.#listen();
        this.#later();
      } catch (error) {
        this.#fail(error);
      }
    }

    /** Hear of changes at once, where the service tells them. */
    #listen() {
      if (!this.#attempt.events || typeof EventSource !== "function") return;
      this.#events = new EventSource(own(this.#attempt.events));
      this.#events.addEventListener("message", ({ data }) => {
        const { state, continue: next } = JSON.parse(data);
        if (SETTLED.includes(state)) this.#deaf();
        this.#heard(state, next);
      });
      this.#events.addEventListener("error", () => {
        this.#deaf();
        this.#later();
      });
    }

    #deaf() {
      this.#events?.close();
      this.#events = null;
    }

    #heard(state, next) {
      if (this.#status.textContent === this.#words.offline) this.#say(this.#waiting());
      this.#progress(state, next);
    }

    async #poll() {
      if (Date.now() >= this.#expires) return this.getAttribute("state") === "answered" ? this.#stop() : this.#end("expired");
      try {
        const { state, continue: next } = await this.#call("GET", this.#path());
        this.#heard(state, next);
      } catch (error) {
        if (error.name === "AbortError") return;
        if (error instanceof Refused) return this.#end("expired");
        this.#say(this.#words.offline);
        this.#later();
      }
    }

    #progress(state, next) {
      if (ENDED.includes(state)) return this.#end(state, next);
      if (state !== this.getAttribute("state")) {
        this.#report(state, next);
        this.#say(this.#words[state] ?? this.#waiting());
      }
      this.#later();
    }

    #end(state, next) {
      this.#stop();
      const go = this.#report(state, next) && state === "accepted" && next;
      if (state === "accepted") {
        this.#body.replaceChildren();
        this.#say(this.#words.accepted);
        if (go) location.assign(own(next));
      } else {
        this.#idle(this.#words[state], this.#words.retry);
      }
    }

    async #digital() {
      try {
        const { requests } = await this.#call("POST", this.#path("/digital"));
        const found = await navigator.credentials.get({ digital: { requests }, mediation: "required", signal: this.#abort.signal });
        const answer = { protocol: found.protocol, data: typeof found.data === "string" ? JSON.parse(found.data) : found.data };
        await this.#call("POST", this.#path("/digital/response"), answer);
        await this.#poll();
      } catch (error) {
        if (error.name === "AbortError") return; // cancelled, or answered by another way meanwhile
        this.#say(error instanceof Refused ? this.#words.rejected : error.name === "NotAllowedError" ? this.#words.closed : this.#words.failed);
      }
    }

    async #copy(link) {
      try {
        await navigator.clipboard.writeText(link);
        this.#say(this.#words.copied);
        this.shadowRoot.getElementById("byoid-copy").textContent = this.#words.copied;
      } catch {
        getSelection().selectAllChildren(this.shadowRoot.getElementById("byoid-link"));
      }
    }

    #cancel() {
      const path = this.#path();
      this.#idle(this.#words.cancelled);
      this.#report("cancelled");
      fetch(path, { method: "DELETE", credentials: "same-origin", keepalive: true }).catch(() => {}); // it expires anyway
    }

    #fail(error) {
      if (error.name === "AbortError") return;
      this.#idle(this.#words.failed, this.#words.retry);
      this.#report("failed");
    }

    // How ----------------------------------------------------------------------------------------------------------

    #path(rest = "") {
      return `${this.#endpoint()}/${encodeURIComponent(this.#attempt.id)}${rest}`;
    }

    #endpoint() {
      return this.getAttribute("endpoint").replace(/\/+$/, "");
    }

    /** Call the page's own service. The content type is one that no form of another site can send. */
    async #call(method, path, body) {
      const cancelled = this.#abort.signal; // old browsers can't join two signals: they wait as long as it takes
      const signal = AbortSignal.any ? AbortSignal.any([cancelled, AbortSignal.timeout(REQUEST_MS)]) : cancelled;
      const init = { method, signal, credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" } };
      if (method === "POST") Object.assign(init, { body: JSON.stringify(body ?? {}), headers: { ...init.headers, "Content-Type": "application/json" } });
      const answer = await fetch(path || this.#endpoint(), init);
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) throw new Refused(String(answer.status));
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.status === 204 ? {} : answer.json();
    }

    #report(state, next) {
      this.setAttribute("state", state);
      const detail = { state, id: this.#attempt?.id, continue: next };
      return this.dispatchEvent(new CustomEvent("byoid-state", { detail, bubbles: true, composed: true, cancelable: true }));
    }

    #later() {
      clearTimeout(this.#timer);
      if (this.#abort.signal.aborted || document.hidden) return;
      const pause = Date.now() < this.#eager ? POLL_MS : 3 * POLL_MS;
      this.#timer = setTimeout(() => this.#poll(), this.#events ? Math.max(pause, this.#expires - Date.now()) : pause);
    }

    #awake = () => {
      if (!this.#attempt || document.hidden || this.#abort.signal.aborted || !this.hasAttribute("state")) return;
      this.#deaf(); // a device that slept may have lost the connection without knowing
      this.#later();
    };

    #stop() {
      clearTimeout(this.#timer);
      this.#deaf();
      this.#abort.abort();
    }
  }

  /** Style the element: not by an inline style, so a policy without 'unsafe-inline' allows it. */
  function dress(root) {
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
    } catch { /* an old browser: plain, but it works */ }
  }

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function fill(text, values) {
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  /** Return a link to a wallet; a scheme that runs here, instead of opening a wallet, is refused. */
  function safe(link) {
    if (/^(javascript|data|blob|file|vbscript):/i.test(new URL(link).protocol)) throw new Refused("link");
    return link;
  }

  /** Return a page of this site; an answer can't send the person elsewhere. */
  function own(next) {
    const url = new URL(next, document.baseURI);
    return url.origin === location.origin ? url.href : location.origin;
  }

  /** Return a wallet's logo, in an array; it goes away if the page's policy forbids it or it cannot be had. */
  function picture(logo) {
    if (!logo || !/^(https:|data:image\/)/i.test(new URL(logo, document.baseURI).href)) return [];
    const image = make("img", { src: logo, alt: "" });
    image.addEventListener("error", () => image.remove());
    return [image];
  }

  function hasDigitalCredentials() {
    return typeof DigitalCredential === "function" && "get" in (navigator.credentials ?? {});
  }

  function recall() {
    try { return localStorage.getItem(CHOICE); } catch { return null; } // storage may be forbidden
  }

  function remember(name) {
    try { localStorage.setItem(CHOICE, name); } catch { /* not remembered then */ }
  }

  if (!customElements.get("byoid-verify")) customElements.define("byoid-verify", ByoidVerify);
})();
