// Owns: what is sent when, and what becomes of the answer; Generate waits for it. Knows the hidden
// fields and buttons of lib_fabric/page/relay.py; not what a press is about.

(window.fabricParts ??= {}).presses = ({tabs, storage, messages}) => {
    const ANSWER_MS = 120000;
    // What leaves lists and settings as they are.
    const ASIDE = [
        'history', 'tiles', 'settings', 'presets', 'save', 'rename', 'delete', 'export', 'import',
        'adopt', 'decline',
    ];
    // Whatever sends the tab's form to the server as it stands; 'enqueue' is Agent Scheduler's.
    const GENERATE = ['generate', 'upscale', 'enqueue'];
    const PROMPTS = ['prompt', 'neg_prompt'];

    const {element, isSame} = tabs;
    const listeners = [];
    const views = [];

    const queueOf = tabs.stateOf(() => ({
        // gradio drops a press while one of the same kind is under way, and two at once could
        // overwrite each other's lists: so one action at a time, in order.
        waiting: [],
        current: null,
        // Whether all that the current one says is known.
        isComplete: false,
        watchdog: null,
        number: 0,
        // The number of the action that each channel was asked for last; gradio drops a press of a
        // channel that is still busy.
        asked: {},
        // The fields as the server got them for the current action, and as infotext has changed
        // them meanwhile.
        sent: null,
        pasted: [],
        // The button that generates, if it was pressed before all this was settled.
        held: null,
    }));

    // ---- one action at a time -------------------------------------------------------------------

    /**
     * Sends an action when its turn comes. Some of its fields stay here: `address` of the gallery
     * picture that is meant; `toggles`, whether the same thumb again takes a rating back; `load()`,
     * which resolves to what else is sent; `onAnswer(answer)`, called with null where none came.
     * `isNext`: before all that is waiting.
     */
    function request(tab, action, isNext = false) {
        const {waiting} = queueOf(tab);
        if (isNext) waiting.unshift(action);
        else waiting.push(action);
        tell(tab);
        sendNext(tab);
    }

    async function sendNext(tab) {
        const queue = queueOf(tab);
        if (queue.current || !queue.waiting.length) return;
        const action = queue.waiting.shift();
        queue.current = action;
        queue.isComplete = false;
        queue.sent = null;
        action.number = ++queue.number;
        // Runs from here on, so that nothing below can hold up what waits for good.
        queue.watchdog = setTimeout(() => settle(tab, null), ANSWER_MS);
        try {
            await complete(tab, action);
        } catch (error) {
            console.error('FABRIC: a press could not be sent', error);
            if (queue.current === action) settle(tab, null);
        }
        // Else given up meanwhile.
        if (queue.current !== action) return;
        queue.isComplete = true;
        ask(tab, action);
    }

    function ask(tab, action) {
        element(tab, channelOf(action)).click();
    }

    function channelOf(action) {
        return isRating(action) ? 'rate' : 'edit';
    }

    /** Adds to an action what is known only when its turn comes. */
    async function complete(tab, action) {
        if (action.load) Object.assign(action, await action.load());
        const mark = tabs.markOf(tab, action.address);
        if (action.do === 'rate' && action.toggles && mark === action.to) action.do = 'unrate';
        if (action.do === 'restore') Object.assign(action, tab.past[tab.past.length - 1]);
        Object.assign(action, await storage.pageKeys, ...views.map(view => view(tab)));
    }

    /** Whether an action is about a picture in the result gallery. */
    function isRating(action) {
        return action.do === 'rate' || action.do === 'unrate';
    }

    /**
     * What gradio sends: `values` with the action among them; may be asked twice after a lost
     * connection. `names` are those of the values, `entryPath` the keys under which an entry of a
     * gallery has its file's path.
     */
    function take(name, channel, {names, entryPath}, values) {
        const tab = tabs.named(name);
        const action = tab && queueOf(tab).current;
        if (!action) return values;
        const given = Object.fromEntries(names.map((each, at) => [each, values[at]]));
        queueOf(tab).sent = [given.liked, given.disliked];
        tab.sent.set(action.number, queueOf(tab).sent);
        queueOf(tab).asked[channel] = action.number;
        const index = isRating(action) ? confirmedIndex(action, given.gallery, entryPath) : -1;
        const {address, toggles, load, onAnswer, ...sent} = action;
        return Object.values({...given, action: JSON.stringify({...sent, index})});
    }

    /** The index of the pressed picture, or one that is refused if the gallery has changed since. */
    function confirmedIndex(action, entries, entryPath) {
        if (action.index < 0 || !Array.isArray(entries)) return action.index;
        const entry = [entries[action.index]].flat()[0];
        const path = entryPath.reduce((each, key) => each?.[key], entry);
        const isFile = path && action.address.includes('file=');
        return !isFile || action.address.endsWith(`file=${path}`) ? action.index : entries.length;
    }

    /** Called by gradio with the answer to a press, whose lists are on their way into the fields. */
    async function finish(name, reply) {
        const tab = tabs.named(name);
        const queue = queueOf(tab);
        const answer = tabs.parsed(reply);
        if (answer) {
            answer.texts = await tabs.arrived(tab, answer.number) || tab.texts;
            await tabs.shown(tab, answer.texts);
            tab.answered.delete(answer.number);
        }
        if (!answer || answer.number === queue.current?.number) {
            settle(tab, answer);
            return;
        }
        // Late, after it was given up: what it has put into the fields does not come from infotext.
        queue.pasted = queue.pasted.filter(each => !isSame(each, answer.texts));
        askAgain(tab);
    }

    /** Called by gradio when a channel is free again, answered or not; then with the reply before. */
    async function ended(name, channel, reply) {
        const tab = tabs.named(name);
        const number = queueOf(tab).asked[channel];
        const answer = tabs.parsed(reply);
        const texts = await tabs.arrived(tab, answer?.number);
        // Else what is pressed again would go on from the lists before.
        if (texts) await tabs.shown(tab, texts);
        const {current} = queueOf(tab);
        if (answer?.number !== number && current?.number === number) settle(tab, null);
        else askAgain(tab);
    }

    /** Presses for an action whose press was dropped, since the one before was still under way. */
    function askAgain(tab) {
        const {asked, current, isComplete} = queueOf(tab);
        if (isComplete && current && asked[channelOf(current)] !== current.number) {
            ask(tab, current);
        }
    }

    function settle(tab, answer) {
        const queue = queueOf(tab);
        const action = queue.current;
        clearTimeout(queue.watchdog);
        queue.current = null;
        if (!action) return;
        const before = tab.texts;
        if (answer) tabs.take(tab, action, answer);
        const unanswered = unansweredLists(tab, action, before);
        if (unanswered) queue.waiting.unshift(syncOf(unanswered));
        messages.take(tab, action, answer);
        // A picture without what was pressed before it is not what the user has asked for.
        if (!answer && !ASIDE.includes(action.do)) dropHeld(tab);
        action.onAnswer?.(answer);
        tell(tab);
        sendNext(tab);
        releaseHeld(tab);
    }

    /** Drops of what is waiting all that `isMeant(action)`. */
    function drop(tab, isMeant) {
        const queue = queueOf(tab);
        queue.waiting = queue.waiting.filter(each => !isMeant(each));
    }

    /** What is not answered yet, in order; the first of it is under way. */
    function pending(tab) {
        const {current, waiting} = queueOf(tab);
        return [current, ...waiting].filter(Boolean);
    }

    /** Whether the lists in the hidden fields are what the user has chosen. */
    function isSettled(tab) {
        return !queueOf(tab).pasted.length && pending(tab).every(each => ASIDE.includes(each.do));
    }

    /** Takes back the last change of what is rated. */
    function undo(tab) {
        const waiting = pending(tab).filter(each => each.do === 'restore');
        if (waiting.length < tab.past.length) request(tab, {do: 'restore'});
    }

    function tell(tab) {
        element(tab, 'lists').setAttribute('aria-busy', String(!isSettled(tab)));
        for (const listener of listeners) listener(tab);
    }

    // ---- lists that infotext has set ------------------------------------------------------------

    /** Called by gradio when the hidden fields change: by an answer, or else by infotext. */
    function listsChanged(name, texts) {
        const tab = tabs.named(name);
        if (!tab || isSame(texts, tab.texts)) return;
        // While an action is under way nobody knows yet which of the two it is.
        if (queueOf(tab).current) queueOf(tab).pasted.push(texts);
        else request(tab, syncOf(texts));
    }

    /** What infotext has set during an action and its answer knows nothing of; null for nothing. */
    function unansweredLists(tab, action, before) {
        const queue = queueOf(tab);
        const base = action.do === 'sync' ? [action.liked, action.disliked] : queue.sent;
        const isKnown = each => isSame(each, tab.texts) || (action.do !== 'open' && isSame(each, base));
        const pasted = queue.pasted.filter(each => !isKnown(each)).pop();
        queue.pasted = [];
        if (pasted) return pasted;
        // Set just before the action, which then went on from ids that nobody has looked up.
        const isLookedUp = ['open', 'sync'].includes(action.do) || !base || isSame(base, before);
        if (isLookedUp) return null;
        return isSame(tab.texts, before) ? base : tab.texts;
    }

    /** The action that asks for an answer to lists that infotext has set. */
    function syncOf([liked, disliked]) {
        return {do: 'sync', liked, disliked};
    }

    // ---- Generate waits -------------------------------------------------------------------------
    // Right after a thumb it would still send the lists as they were, and right after infotext
    // names that nobody has looked up yet.

    function holdClick(event) {
        const button = event.target.closest?.('button');
        const isOf = tab => GENERATE.some(each => button.id === `${tab.name}_${each}`);
        const tab = button && tabs.all().find(isOf);
        if (tab) holdIfUnsettled(tab, button, event);
    }

    /** gradio generates at Shift+Enter in a prompt, without a click. */
    function holdEnter(event) {
        if (event.key !== 'Enter' || !event.shiftKey) return;
        const isOf = (tab, each) => event.target.matches?.(`#${tab.name}_${each} textarea`);
        const tab = tabs.all().find(each => PROMPTS.some(prompt => isOf(each, prompt)));
        const button = tab && gradioApp().getElementById(`${tab.name}_generate`);
        if (button) holdIfUnsettled(tab, button, event);
    }

    function holdIfUnsettled(tab, button, event) {
        if (isSettled(tab)) return;
        event.stopImmediatePropagation();
        event.preventDefault();
        dropHeld(tab);
        queueOf(tab).held = button;
        button.classList.add('fabric-held');
    }

    /** Forgets the press that was held, if any; returns its button. */
    function dropHeld(tab) {
        const button = queueOf(tab).held;
        queueOf(tab).held = null;
        button?.classList.remove('fabric-held');
        return button;
    }

    /** Presses the button whose press was held, once nothing is under way any more. */
    function releaseHeld(tab) {
        if (isSettled(tab)) dropHeld(tab)?.click();
    }

    function start() {
        window.addEventListener('click', holdClick, true);
        window.addEventListener('keydown', holdEnter, true);
        for (const tab of tabs.all()) request(tab, {do: 'open', was_on: storage.wasOn(tab.name)});
    }

    return {
        start, request, isSettled, drop, take, finish, ended, listsChanged, undo, pending, isRating,
        /** Calls back with the tab whenever what is rated or under way has changed. */
        onChange: listener => listeners.push(listener),
        /** Every action says as well what `view(tab)` gives. */
        sayAlways: view => views.push(view),
    };
};
