// The browser's part of FABRIC: which picture is meant, what is sent when, marks in the gallery.
// What is rated is known to the server alone; here is only the copy its last answer brought.

const fabricUi = (function() {
    const LISTS = ['liked', 'disliked'];
    const THUMBS = {liked: 'like', disliked: 'dislike'};
    const NOTE_MS = 8000;
    const ANSWER_MS = 120000;

    const tabs = {};

    function newTab(name) {
        return {
            name: name,
            lists: {liked: [], disliked: []},
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
        showWaiting(tab);
        sendNext(tab);
    }

    async function sendNext(tab) {
        if (tab.current || !tab.waiting.length) return;
        const action = tab.waiting.shift();
        tab.current = action;
        if (action.file) action.data = await fabricUi.readPicture(action.file);
        if (action.do === 'rate' && action.toggles && markOf(tab, action.address) === action.to) {
            action.do = 'undo';
        }
        action.number = ++tab.number;
        action.switchedOff = tab.switchedOff;
        tab.watchdog = setTimeout(() => settle(tab, null), ANSWER_MS);
        element(tab, action.do === 'rate' || action.do === 'undo' ? 'rate' : 'edit').click();
    }

    /** What gradio sends in place of the hidden fields; may be asked twice after a lost connection. */
    function take(name, channel, values) {
        const tab = tabs[name];
        const action = tab && tab.current;
        if (!action) return values;
        const index = channel === 'rate' ? confirmedIndex(action, values[4]) : -1;
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
        if (answer) {
            for (const list of LISTS) tab.lists[list] = answer[list];
            tab.limit = answer.limit;
            if (answer.rated && action.address) tab.ids.set(action.address, answer.rated);
            if (action.do === 'add' && tab.lists[action.to].length >= tab.limit) {
                tab.waiting = tab.waiting.filter(each => each.do !== 'add' || each.to !== action.to);
            }
        }
        if (!window.gradio_config.enable_queue) showNote(tab, answer ? answer.note : '');
        if (!answer) showNote(tab, 'The WebUI did not answer. Try again.');
        showWaiting(tab);
        refreshMarks(tab);
        sendNext(tab);
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

    function showWaiting(tab) {
        const pending = [tab.current, ...tab.waiting].filter(each => each && each.do === 'add');
        const panel = element(tab, 'lists');
        for (const list of LISTS) {
            const count = pending.filter(each => each.to === list).length;
            const text = count > 1 ? `"Adding ${count} pictures…"` : '"Adding a picture…"';
            panel.toggleAttribute(`data-fabric-adding-${list}`, count > 0);
            panel.style.setProperty(`--fabric-adding-${list}`, text);
        }
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

    // ---- the lists in the accordion -------------------------------------------------------------

    function watchLists(tab) {
        const panel = element(tab, 'lists');
        panel.addEventListener('click', event => {
            const button = event.target.closest('button[data-do]');
            if (button) pressInLists(tab, button);
        });
        panel.addEventListener('dragstart', event => {
            const tile = event.target.closest('[data-id]');
            if (tile) tab.dragged = {do: 'move', id: tile.dataset.id};
        });
        panel.addEventListener('dragend', () => delete tab.dragged);
        for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop']) {
            panel.addEventListener(kind, event => dragOverLists(tab, event));
        }
        gradioApp().getElementById(`${tab.name}_fabric_accordion-visible-checkbox`)?.addEventListener(
            'click', event => {
                tab.switchedOff = !event.target.checked;
            }
        );
    }

    function pressInLists(tab, button) {
        const {do: what, to} = button.dataset;
        if (what === 'choose') {
            chooseFiles(tab, to);
        } else {
            const tile = button.closest('[data-id]');
            request(tab, {do: what, to: to, id: tile ? tile.dataset.id : ''});
        }
    }

    function chooseFiles(tab, list) {
        const input = document.createElement('input');
        input.type = 'file';
        input.multiple = true;
        input.accept = 'image/*';
        input.addEventListener('change', () => addFiles(tab, list, Array.from(input.files)));
        input.click();
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

    function dragOverLists(tab, event) {
        const isOurs = tab.dragged || Array.from(event.dataTransfer.types).includes('Files');
        const column = event.target.closest('.fabric-column');
        for (const each of element(tab, 'lists').querySelectorAll('.fabric-column')) {
            const isTarget = isOurs && each === column && /enter|over/.test(event.type);
            each.classList.toggle('fabric-target', isTarget);
        }
        if (!isOurs || !column || event.type === 'dragleave') return;
        // Without this the browser shows the file instead, or the host takes it for img2img.
        event.preventDefault();
        event.stopPropagation();
        if (event.type !== 'drop') return;
        if (tab.dragged) {
            request(tab, {...tab.dragged, to: column.dataset.to});
        } else {
            addFiles(tab, column.dataset.to, Array.from(event.dataTransfer.files));
        }
    }

    // ---- own pictures ---------------------------------------------------------------------------

    function addFiles(tab, list, files) {
        for (const file of files) request(tab, {do: 'add', to: list, name: file.name, file: file});
    }

    onUiLoaded(function() {
        for (const name of ['txt2img', 'img2img']) {
            const tab = newTab(name);
            if (!element(tab, 'lists')) continue;
            tabs[name] = tab;
            watchLists(tab);
            watchGallery(tab);
            refreshMarks(tab);
        }
        onAfterUiUpdate(function() {
            for (const tab of Object.values(tabs)) {
                watchGallery(tab);
                refreshMarks(tab);
            }
        });
    });

    return {press, take, finish};
})();
