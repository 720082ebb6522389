// Owns: how pictures come into the lists by hand: files that are chosen, and what is dropped or
// pasted there: files, pictures of any page, those of the gallery, the other list and the history.

(window.fabricParts ??= {}).pictures = ({tabs, presses, accordion, thumbs, messages}) => {
    const SENT_AS_THEY_ARE = ['image/png', 'image/jpeg', 'image/webp'];
    const PART_BYTES = 3 * 1024 * 1024;
    const {element} = tabs;

    // ---- files ----------------------------------------------------------------------------------

    /** Lets the user choose files. */
    function choose(accept, multiple, take) {
        const input = document.createElement('input');
        input.type = 'file';
        input.multiple = multiple;
        input.accept = accept;
        input.addEventListener('change', () => take(Array.from(input.files)));
        input.click();
    }

    /** Adds files, and whatever has a name and can be read: `read()` promises a blob. */
    function add(tab, list, files) {
        messages.begin(tab, 'add', files.length);
        for (const file of files) {
            const onEnd = answer => {
                messages.end(tab, 'add', file.name, answer);
                dropWhatIsTooMuch(tab, list);
            };
            const load = async () => sendable(file.read ? await file.read() : file);
            send(tab, {do: 'add', to: list, name: file.name}, load, onEnd);
        }
    }

    /** A full list takes no more: only one more file is sent, so that the server says so. */
    function dropWhatIsTooMuch(tab, list) {
        if (tab.lists[list].length < tab.limit) return;
        const isMeant = each => each.do === 'add' && each.to === list;
        const [, ...rest] = presses.pending(tab).filter(isMeant);
        presses.drop(tab, each => rest.includes(each));
        if (rest.length) messages.leaveOut(tab, 'add', rest.length);
    }

    /**
     * Sends an action with a file, in parts that gradio's connection carries, one after the other.
     * `load()` gives the file, or promises it, once it is its turn; null where the browser may not
     * read it. `onEnd(answer)` is called with the answer to the last part, or to the one that was
     * refused.
     */
    function send(tab, action, load, onEnd) {
        let file = null;
        let parts = 0;
        const sendPart = part => {
            const loadPart = async () => {
                file ??= await load();
                if (!file) return {unreadable: true};
                parts = Math.max(1, Math.ceil(file.size / PART_BYTES));
                const start = part * PART_BYTES;
                const data = await base64(file.slice(start, start + PART_BYTES));
                return {data, part, parts};
            };
            const onAnswer = answer => {
                const isRefused = !answer || answer.note?.failed;
                if (isRefused || part >= parts - 1) onEnd(answer);
                else sendPart(part + 1);
            };
            presses.request(tab, {...action, load: loadPart, onAnswer}, part > 0);
        };
        sendPart(0);
    }

    /**
     * A file of another format as a PNG, at its size and in sRGB; empty where the browser cannot
     * read it either, so that the server says in words what it takes.
     */
    async function sendable(file) {
        if (!file || SENT_AS_THEY_ARE.includes(file.type)) return file;
        try {
            const bitmap = await createImageBitmap(file);
            const canvas = document.createElement('canvas');
            canvas.width = bitmap.width;
            canvas.height = bitmap.height;
            canvas.getContext('2d').drawImage(bitmap, 0, 0);
            const blob = await new Promise(resolve => canvas.toBlob(resolve));
            return blob ?? new Blob();
        } catch (error) {
            return new Blob();
        }
    }

    async function base64(blob) {
        const reader = new FileReader();
        await new Promise((resolve, reject) => {
            reader.onload = resolve;
            reader.onerror = () => reject(reader.error);
            reader.readAsDataURL(blob);
        });
        return reader.result.slice(reader.result.indexOf(',') + 1);
    }

    // ---- pictures of pages ----------------------------------------------------------------------

    /** Adds what was dropped or pasted; whether that is anything that can be added. */
    function bring(tab, list, data) {
        const files = Array.from(data.files);
        const address = files.length ? null : addressIn(data);
        if (address) files.push({name: nameIn(address), read: () => fetched(address)});
        if (files.length) add(tab, list, files);
        return files.length > 0;
    }

    /** Where the picture is that was dragged or copied from a page; null for none. */
    function addressIn(data) {
        // What is dragged is the picture, also where it is a link.
        const page = new DOMParser().parseFromString(data.getData('text/html'), 'text/html');
        const source = page.querySelector('img')?.getAttribute('src');
        const lines = data.getData('text/uri-list').split(/\s+/);
        const found = source || lines.find(each => each && each[0] !== '#');
        if (!found) return null;
        try {
            const address = new URL(found, document.baseURI);
            return /^(https?|data|blob):$/.test(address.protocol) ? address : null;
        } catch (error) {
            return null;
        }
    }

    function nameIn(address) {
        const last = /^https?:$/.test(address.protocol) ? address.pathname.split('/').pop() : '';
        try {
            return decodeURIComponent(last);
        } catch (error) {
            return last;
        }
    }

    /** The browser asks for it, as the person in front of it may; the server never does. */
    async function fetched(address) {
        try {
            const answer = await fetch(address);
            return answer.ok ? await answer.blob() : null;
        } catch (error) {
            return null;
        }
    }

    /**
     * The list that a picture is pasted into, which is the one in focus or pointed at, or else, where
     * none of the host's fields would take it, the liked.
     */
    function pasteTarget(target) {
        const shown = tabs.all().find(tab => element(tab, 'lists').getClientRects().length);
        if (!shown) return null;
        const find = selector => element(shown, 'lists').querySelector(selector);
        const column = target.closest?.('.fabric-column') || find('.fabric-column:focus-within') ||
            find('.fabric-column:hover');
        const isElsewhere = !column && (isWritten(target) || hasPictureField());
        if (isElsewhere) return null;
        return {tab: shown, list: column?.dataset.to ?? 'liked', isMeant: Boolean(column)};
    }

    function isWritten(target) {
        return target.matches?.('input, textarea, [contenteditable]');
    }

    /** The host pastes into the fields for pictures that can be seen. */
    function hasPictureField() {
        const fields = gradioApp().querySelectorAll('[data-testid="image"]');
        return Array.from(fields).some(each => each.getClientRects().length);
    }

    function paste(event) {
        const target = pasteTarget(event.target);
        if (!target || !event.clipboardData) return;
        const mayBeText = isWritten(event.target) || !target.isMeant;
        if (mayBeText && !event.clipboardData.files.length) return;
        if (!bring(target.tab, target.list, event.clipboardData)) return;
        event.preventDefault();
        // The host would take it for one of its own fields.
        event.stopImmediatePropagation();
    }

    // ---- drags ----------------------------------------------------------------------------------

    // What a drop asks for travels with the drag itself, so that it ends with it, whatever becomes
    // of the tile meanwhile. One type for each tab of this very page, since only the type can be
    // read while something is dragged.
    const random = crypto.getRandomValues(new Uint32Array(2)).join('');
    const typeOf = tab => `application/x-fabric-${random}-${tab.name}`;
    // A picture's id, for other tabs and pages: what they see of a tile is a small copy.
    const ID_TYPE = 'application/x-fabric-picture';

    /** The action that a drop of a picture in the accordion asks for; null for another thing. */
    function draggedTile(target, what) {
        const tile = target.closest('[data-id]');
        return tile && {do: what, picture_id: tile.dataset.id};
    }

    /** The same for a picture in the result gallery. */
    function draggedFromGallery(tab, target) {
        const item = target.closest('.thumbnail-item, .preview');
        const address = thumbs.addressOf(item?.querySelector(':scope > img'));
        if (!address) return null;
        const siblings = item.matches('.preview') ? [] : Array.from(item.parentElement.children);
        const index = siblings.filter(each => each.matches('.thumbnail-item')).indexOf(item);
        const picture = index < 0 ? thumbs.selectedPicture(tab) : {index, address};
        return {do: 'rate', ...picture};
    }

    function startDrag(tab, event) {
        // A text that is dragged has no `closest`.
        const target = event.target.closest ? event.target : event.target.parentElement;
        const isIn = root => root?.contains(target);
        let action = null;
        if (isIn(element(tab, 'lists'))) action = draggedTile(target, 'move');
        else if (isIn(element(tab, 'history'))) action = draggedTile(target, 'activate');
        else if (isIn(tabs.gallery(tab))) action = draggedFromGallery(tab, target);
        if (!action) return;
        event.dataTransfer?.setData(typeOf(tab), JSON.stringify(action));
        if (action.picture_id) event.dataTransfer?.setData(ID_TYPE, action.picture_id);
    }

    function dragOverLists(tab, event) {
        const types = Array.from(event.dataTransfer?.types || []);
        const known = [typeOf(tab), ID_TYPE, 'Files', 'text/uri-list'];
        const isOurs = types.some(each => known.includes(each));
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
        const list = column.dataset.to;
        const text = event.dataTransfer.getData(typeOf(tab));
        const id = event.dataTransfer.getData(ID_TYPE);
        if (text) drop(tab, JSON.parse(text), list);
        else if (id) drop(tab, {do: 'activate', picture_id: id}, list);
        else bring(tab, list, event.dataTransfer);
    }

    function drop(tab, action, list) {
        // Pressed twice, 'activate' takes a picture out; dropped twice, it stays.
        if (action.do === 'activate' && tabs.listOf(tab, action.picture_id) === list) return;
        presses.request(tab, {...action, to: list});
    }

    function start() {
        accordion.on('choose', (tab, button) => {
            choose('image/*', true, files => add(tab, button.dataset.to, files));
        });
        window.addEventListener('paste', paste, true);
        for (const tab of tabs.all()) {
            document.addEventListener('dragstart', event => startDrag(tab, event));
            for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop']) {
                element(tab, 'lists').addEventListener(kind, event => dragOverLists(tab, event));
            }
        }
    }

    return {start, choose, send};
};
