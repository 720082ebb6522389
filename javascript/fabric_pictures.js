// Owns: how pictures come into the lists by hand: files that are chosen or dropped, and what is
// dragged there from the gallery, the other list and the history.

(window.fabricParts ??= {}).pictures = ({tabs, presses, accordion, thumbs, messages}) => {
    const SENT_AS_THEY_ARE = ['image/png', 'image/jpeg', 'image/webp'];
    const MAX_FILE_BYTES = 6 * 1024 * 1024;
    const MAX_SIDE_PX = 2048;
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

    function add(tab, list, files) {
        messages.begin(tab, 'add', files.length);
        for (const file of files) {
            const load = async () => ({data: await read(file)});
            const onAnswer = answer => {
                messages.end(tab, 'add', file.name, answer);
                dropWhatIsTooMuch(tab, list);
            };
            presses.request(tab, {do: 'add', to: list, name: file.name, load, onAnswer});
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

    /** The file as a data URL, redrawn if it is large or of another format; '' if unusable. */
    async function read(file) {
        const isSmall = file.size <= MAX_FILE_BYTES;
        try {
            if (isSmall && SENT_AS_THEY_ARE.includes(file.type)) return await dataUrl(file);
            return await redraw(await createImageBitmap(file));
        } catch (error) {
            // Not a picture at all: the server says so in words.
            return '';
        }
    }

    async function redraw(bitmap) {
        const scale = Math.min(1, MAX_SIDE_PX / Math.max(bitmap.width, bitmap.height));
        const canvas = document.createElement('canvas');
        canvas.width = Math.max(1, Math.round(bitmap.width * scale));
        canvas.height = Math.max(1, Math.round(bitmap.height * scale));
        const context = canvas.getContext('2d');
        context.fillStyle = 'white';
        context.fillRect(0, 0, canvas.width, canvas.height);
        context.imageSmoothingQuality = 'high';
        context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
        const blob = await new Promise(resolve => canvas.toBlob(resolve, 'image/jpeg', 0.95));
        return dataUrl(blob);
    }

    function dataUrl(blob) {
        return new Promise((resolve, reject) => {
            const reader = new FileReader();
            reader.onload = () => resolve(reader.result);
            reader.onerror = () => reject(reader.error);
            reader.readAsDataURL(blob);
        });
    }

    // ---- drags ----------------------------------------------------------------------------------

    // What a drop asks for travels with the drag itself, so that it ends with it, whatever becomes
    // of the tile meanwhile. One type for each tab of this very page, since only the type can be
    // read while something is dragged.
    const random = crypto.getRandomValues(new Uint32Array(2)).join('');
    const typeOf = tab => `application/x-fabric-${random}-${tab.name}`;

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
        if (action) event.dataTransfer?.setData(typeOf(tab), JSON.stringify(action));
    }

    function dragOverLists(tab, event) {
        const types = Array.from(event.dataTransfer?.types || []);
        const isOurs = types.includes(typeOf(tab)) || types.includes('Files');
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
        const text = event.dataTransfer.getData(typeOf(tab));
        if (text) drop(tab, JSON.parse(text), column.dataset.to);
        else add(tab, column.dataset.to, Array.from(event.dataTransfer.files));
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
        for (const tab of tabs.all()) {
            document.addEventListener('dragstart', event => startDrag(tab, event));
            for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop']) {
                element(tab, 'lists').addEventListener(kind, event => dragOverLists(tab, event));
            }
        }
    }

    return {start, choose, dataUrl};
};
