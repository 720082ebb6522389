// The browser's part of FABRIC: what is sent when, and what becomes of the answers. What is rated
// lies in two hidden fields of the page; the server answers every change of it.

const fabricUi = (function() {
    const LISTS = ['liked', 'disliked'];
    const NOTE_MS = 8000;
    const ANSWER_MS = 120000;
    const MAX_PAST = 50;
    // What leaves lists and settings as they are.
    const ASIDE = ['history', 'presets', 'save', 'rename', 'delete', 'export', 'import'];

    const tabs = {};

    function newTab(name) {
        return {
            name: name,
            lists: {liked: [], disliked: []},
            // Both lists as the hidden fields hold them, and as they were before each change.
            texts: ['', ''],
            past: [],
            // The fields as the server got them for the current action, and as infotext has
            // changed them meanwhile.
            sent: null,
            pasted: [],
            limit: Infinity,
            // Which rated picture a gallery picture is: address to id. Addresses are unique to a
            // saved file, so the pictures of the next generation start unmarked.
            ids: new Map(),
            // gradio drops a press while one of the same kind is under way, and two at once could
            // overwrite each other's lists: so one action at a time, in order.
            waiting: [],
            current: null,
            watchdog: null,
            number: 0,
            // The button that generates, if it was pressed before all this was settled.
            held: null,
            switchedOff: false,
            observer: null,
            observed: null,
        };
    }

    function element(tab, id) {
        return gradioApp().getElementById(`${tab.name}_fabric_${id}`);
    }

    // ---- one action at a time -------------------------------------------------------------------

    function request(tab, action) {
        tab.waiting.push(action);
        fabricUi.showWaiting(tab);
        fabricUi.refreshMarks(tab);
        sendNext(tab);
    }

    async function sendNext(tab) {
        if (tab.current || !tab.waiting.length) return;
        const action = tab.waiting.shift();
        tab.current = action;
        tab.sent = null;
        action.number = ++tab.number;
        // Runs from here on, so that nothing below can hold up what waits for good.
        tab.watchdog = setTimeout(() => settle(tab, null), ANSWER_MS);
        try {
            await complete(tab, action);
        } catch (error) {
            console.error('FABRIC: a press could not be sent', error);
            if (tab.current === action) settle(tab, null);
        }
        // Else given up meanwhile.
        if (tab.current === action) element(tab, isRating(action) ? 'rate' : 'edit').click();
    }

    /** Adds to an action what is known only when its turn comes. */
    async function complete(tab, action) {
        if (action.file) action.data = await fabricUi.readPicture(action.file);
        const mark = fabricUi.markOf(tab.name, action.address);
        if (action.do === 'rate' && action.toggles && mark === action.to) action.do = 'unrate';
        if (action.do === 'restore') Object.assign(action, tab.past[tab.past.length - 1]);
        Object.assign(action, await fabricUi.pageKeys, fabricUi.historyView(tab));
        action.switched_off = tab.switchedOff;
    }

    /** Whether an action is about a picture in the result gallery. */
    function isRating(action) {
        return action.do === 'rate' || action.do === 'unrate';
    }

    /** What gradio sends in place of the hidden fields; may be asked twice after a lost connection. */
    function take(name, channel, values) {
        const tab = tabs[name];
        const action = tab && tab.current;
        if (!action) return values;
        const [, , liked, disliked, shown] = values;
        tab.sent = [liked, disliked];
        const index = channel === 'rate' ? confirmedIndex(action, shown) : -1;
        const {address, toggles, file, ...sent} = action;
        return [JSON.stringify({...sent, index}), ...values.slice(1)];
    }

    /** The index of the pressed picture, or one that is refused if the gallery has changed since. */
    function confirmedIndex(action, entries) {
        if (action.index < 0 || !Array.isArray(entries)) return action.index;
        const entry = [entries[action.index]].flat()[0];
        const isFile = entry && entry.name && action.address.includes('file=');
        const isSame = !isFile || action.address.endsWith(`file=${entry.name}`);
        return isSame ? action.index : entries.length;
    }

    function finish(name, reply) {
        let answer = null;
        try {
            answer = JSON.parse(reply);
        } catch (error) {
            // An empty or cut answer is no answer.
        }
        const tab = tabs[name];
        // After a failed event gradio still calls this, with the answer before.
        settle(tab, answer?.number === tab.current?.number ? answer : null);
    }

    function settle(tab, answer) {
        const action = tab.current;
        clearTimeout(tab.watchdog);
        tab.current = null;
        if (!action) return;
        const before = tab.texts;
        if (answer) takeAnswer(tab, action, answer);
        const unanswered = unansweredLists(tab, action, before);
        if (unanswered) tab.waiting.unshift(syncOf(unanswered));
        if (!window.gradio_config.enable_queue) showNote(tab, answer ? answer.note : '');
        if (!answer) showNote(tab, 'The WebUI did not answer. Try again.');
        // A picture without what was pressed before it is not what the user has asked for.
        if (!answer && !ASIDE.includes(action.do)) fabricUi.dropHeld(tab);
        fabricUi.showWaiting(tab);
        fabricUi.refreshMarks(tab);
        sendNext(tab);
        fabricUi.releaseHeld(tab);
    }

    /** Whether the lists in the hidden fields are what the user has chosen. */
    function isSettled(tab) {
        const pending = [tab.current, ...tab.waiting].filter(Boolean);
        return !tab.pasted.length && pending.every(each => ASIDE.includes(each.do));
    }

    function takeAnswer(tab, action, answer) {
        remember(tab, action, answer);
        for (const list of LISTS) tab.lists[list] = answer[list];
        tab.limit = answer.limit;
        if (answer.rated && action.address) tab.ids.set(action.address, answer.rated);
        if (action.do === 'add' && tab.lists[action.to].length >= tab.limit) {
            tab.waiting = tab.waiting.filter(each => each.do !== 'add' || each.to !== action.to);
        }
        if (action.do === 'import' && answer.failed) {
            tab.waiting = tab.waiting.filter(each => each.do !== 'import');
        }
        if (answer.file) fabricUi.saveFile(answer.file);
    }

    /** Notes how the lists were before an action, for undo. */
    function remember(tab, action, {texts, change}) {
        const [liked, disliked] = tab.texts;
        if (action.do === 'restore') {
            tab.past.pop();
        } else if (action.do !== 'open' && !isSame(texts, tab.texts)) {
            tab.past.push({liked, disliked, change});
            tab.past.splice(0, tab.past.length - MAX_PAST);
        }
        tab.texts = texts;
    }

    /** Called by gradio when the hidden fields change: by an answer, or else by infotext. */
    function listsChanged(name, texts) {
        const tab = tabs[name];
        if (!tab || isSame(texts, tab.texts)) return;
        // While an action is under way nobody knows yet which of the two it is.
        if (tab.current) tab.pasted.push(texts);
        else request(tab, syncOf(texts));
    }

    /** What infotext has set during an action and its answer knows nothing of; null for nothing. */
    function unansweredLists(tab, action, before) {
        const base = action.do === 'sync' ? [action.liked, action.disliked] : tab.sent;
        const isKnown = each => isSame(each, tab.texts) || (action.do !== 'open' && isSame(each, base));
        const pasted = tab.pasted.filter(each => !isKnown(each)).pop();
        tab.pasted = [];
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

    function isSame(texts, others) {
        return String(texts) === String(others);
    }

    /** Takes back the last change of what is rated. */
    function undo(tab) {
        const waiting = [tab.current, ...tab.waiting].filter(each => each && each.do === 'restore');
        if (waiting.length < tab.past.length) request(tab, {do: 'restore'});
    }

    /** A line below the gallery's buttons, for what gradio's own messages cannot say. */
    function showNote(tab, text) {
        const row = gradioApp().getElementById(`image_buttons_${tab.name}`);
        let note = element(tab, 'toast');
        if (!row || (!note && !text)) return;
        if (!note) {
            note = document.createElement('p');
            note.id = `${tab.name}_fabric_toast`;
            note.setAttribute('role', 'status');
            row.after(note);
        }
        note.textContent = text;
        clearTimeout(note.hideTimer);
        note.hideTimer = setTimeout(() => note.remove(), text ? NOTE_MS : 0);
    }

    onUiLoaded(function() {
        for (const name of ['txt2img', 'img2img']) {
            const tab = newTab(name);
            if (!element(tab, 'lists')) continue;
            tabs[name] = tab;
            fabricUi.watchAccordion(tab);
            fabricUi.watchGallery(tab);
            fabricUi.refreshMarks(tab);
            request(tab, {do: 'open', was_on: fabricUi.wasOn(tab)});
        }
        onAfterUiUpdate(function() {
            for (const tab of Object.values(tabs)) {
                fabricUi.watchGallery(tab);
                fabricUi.refreshMarks(tab);
            }
        });
    });

    /** A text as the page's language has it, for texts that the host does not see being added. */
    function translate(text) {
        return window.localization?.[text] || text;
    }

    return {
        LISTS, take, finish, translate, listsChanged, request, undo, element, isRating, isSettled,
        tab: name => tabs[name],
        tabNames: () => Object.keys(tabs),
        gallery: name => gradioApp().getElementById(`${name}_gallery`),
    };
})();
