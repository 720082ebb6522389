// The browser's part of FABRIC: which picture is meant, what is sent when, marks in the gallery.
// The accordion has a file of its own. What is rated lies in two hidden fields of the page; the
// server answers every change of it.

const fabricUi = (function() {
    const LISTS = ['liked', 'disliked'];
    const THUMBS = {liked: 'like', disliked: 'dislike'};
    const NOTE_MS = 8000;
    const ANSWER_MS = 120000;
    const MAX_PAST = 50;

    const tabs = {};
    const marksListeners = [];

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
            switchedOff: false,
            observer: null,
            observed: null,
        };
    }

    function element(tab, id) {
        return gradioApp().getElementById(`${tab.name}_fabric_${id}`);
    }

    function gallery(tab) {
        return gradioApp().getElementById(`${tab.name}_gallery`);
    }

    // ---- one action at a time -------------------------------------------------------------------

    function request(tab, action) {
        tab.waiting.push(action);
        fabricUi.showWaiting(tab);
        refreshMarks(tab);
        sendNext(tab);
    }

    async function sendNext(tab) {
        if (tab.current || !tab.waiting.length) return;
        const action = tab.waiting.shift();
        tab.current = action;
        if (action.file) action.data = await fabricUi.readPicture(action.file);
        if (action.do === 'rate' && action.toggles && markOf(tab, action.address) === action.to) {
            action.do = 'unrate';
        }
        if (action.do === 'restore') Object.assign(action, tab.past[tab.past.length - 1]);
        Object.assign(action, await fabricUi.pageKeys, fabricUi.historyView(tab));
        action.number = ++tab.number;
        action.switched_off = tab.switchedOff;
        tab.sent = null;
        tab.watchdog = setTimeout(() => settle(tab, null), ANSWER_MS);
        element(tab, isRating(action) ? 'rate' : 'edit').click();
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
        fabricUi.showWaiting(tab);
        refreshMarks(tab);
        sendNext(tab);
    }

    function takeAnswer(tab, action, answer) {
        remember(tab, action, answer.texts);
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
    function remember(tab, action, texts) {
        const [liked, disliked] = tab.texts;
        if (action.do === 'restore') {
            tab.past.pop();
        } else if (action.do !== 'open' && !isSame(texts, tab.texts)) {
            tab.past.push({liked, disliked, forget: action.do === 'rate' || action.do === 'add'});
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

    // ---- the result gallery ---------------------------------------------------------------------

    function addressOf(image) {
        return image ? image.getAttribute('src') : '';
    }

    /** The selected picture; index -1 if none is, with the address of the only one if there is one. */
    function selectedPicture(tab) {
        const root = gallery(tab);
        const small = Array.from(root.querySelectorAll('.thumbnails > .thumbnail-small'));
        const index = small.findIndex(each => each.classList.contains('selected'));
        if (index >= 0) return {index, address: addressOf(small[index].querySelector('img'))};
        const all = root.querySelectorAll('.grid-container > .thumbnail-lg img');
        return {index: -1, address: all.length === 1 ? addressOf(all[0]) : ''};
    }

    function press(name, list) {
        const tab = tabs[name];
        request(tab, {do: 'rate', to: list, toggles: true, ...selectedPicture(tab)});
    }

    /** Rates one entry of the gallery, as the buttons below it do for the selected one. */
    function rate(name, list, picture) {
        request(tabs[name], {do: 'rate', to: list, toggles: true, ...picture});
    }

    /** What was pressed but not answered yet: address to list, '' for an undo. */
    function pendingRatings(name) {
        const tab = tabs[name];
        const pending = new Map();
        for (const each of [tab.current, ...tab.waiting]) {
            if (!each || !each.address || !isRating(each)) continue;
            const before = pending.get(each.address) ?? markOf(tab, each.address);
            const isUndo = each.do === 'unrate' || (each.toggles && before === each.to);
            pending.set(each.address, isUndo ? '' : each.to);
        }
        return pending;
    }

    function markOf(tab, address) {
        const id = tab.ids.get(address);
        return LISTS.find(list => tab.lists[list].includes(id)) || '';
    }

    function setMark(node, mark) {
        if (!node || (node.dataset.fabricMark || '') === mark) return;
        if (mark) node.dataset.fabricMark = mark;
        else delete node.dataset.fabricMark;
    }

    function refreshMarks(tab) {
        const root = gallery(tab);
        if (!root) return;
        // An attribute of our own: gradio rewrites the classes of these buttons as it likes.
        for (const item of root.querySelectorAll('.thumbnail-item')) {
            setMark(item, markOf(tab, addressOf(item.querySelector('img'))));
        }
        const large = root.querySelector('.preview > img');
        if (large) setMark(large.parentElement, markOf(tab, addressOf(large)));
        const selected = markOf(tab, selectedPicture(tab).address);
        for (const list of LISTS) {
            const thumb = element(tab, THUMBS[list]);
            setMark(thumb, selected === list ? list : '');
            if (thumb) thumb.setAttribute('aria-pressed', String(selected === list));
        }
        fabricUi.refreshAccordion(tab);
        for (const listener of marksListeners) listener(tab.name);
    }

    /** Keeps the marks right while gradio re-renders the gallery. */
    function watchGallery(tab) {
        const root = gallery(tab);
        if (!root || root === tab.observed) return;
        if (tab.observer) tab.observer.disconnect();
        tab.observed = root;
        tab.observer = new MutationObserver(() => refreshMarks(tab));
        tab.observer.observe(root, {
            childList: true, subtree: true, attributes: true, attributeFilter: ['src', 'class'],
        });
        root.addEventListener('dragstart', event => startDrag(tab, event));
        root.addEventListener('dragend', () => delete tab.dragged);
    }

    function startDrag(tab, event) {
        const item = event.target.closest('.thumbnail-item, .preview');
        const address = addressOf(item?.querySelector(':scope > img'));
        if (!address) return;
        const siblings = item.matches('.preview') ? [] : Array.from(item.parentElement.children);
        const index = siblings.filter(each => each.matches('.thumbnail-item')).indexOf(item);
        tab.dragged = {do: 'rate', index: index, address: address};
        if (index < 0) Object.assign(tab.dragged, selectedPicture(tab));
    }

    onUiLoaded(function() {
        for (const name of ['txt2img', 'img2img']) {
            const tab = newTab(name);
            if (!element(tab, 'lists')) continue;
            tabs[name] = tab;
            fabricUi.watchAccordion(tab);
            watchGallery(tab);
            refreshMarks(tab);
            request(tab, {do: 'open', was_on: fabricUi.wasOn(tab)});
        }
        onAfterUiUpdate(function() {
            for (const tab of Object.values(tabs)) {
                watchGallery(tab);
                refreshMarks(tab);
            }
        });
    });

    /** A text as the page's language has it, for texts that the host does not see being added. */
    function translate(text) {
        return window.localization?.[text] || text;
    }

    return {
        press, take, finish, translate, listsChanged, request, undo, element, setMark,
        rate, pendingRatings,
        tabNames: () => Object.keys(tabs),
        gallery: name => gallery(tabs[name]),
        selectedPicture: name => selectedPicture(tabs[name]),
        markOf: (name, address) => markOf(tabs[name], address),
        /** Calls back with the tab's name whenever its gallery or what is rated may have changed. */
        onMarks: listener => marksListeners.push(listener),
    };
})();
