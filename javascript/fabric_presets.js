// Owns: the list of presets: saving, renaming, deleting, and their files. Knows the HTML of
// lib_fabric/page/html/presets.py.

(window.fabricParts ??= {}).presets = ({tabs, presses, accordion, pictures, texts, messages}) => {
    const {element} = tabs;
    const {request} = presses;
    const newNames = tabs.stateOf(() => new Map());

    function save(tab) {
        request(tab, {...saving(tab, nameField(tab).value), overwrite: false});
    }

    function saving(tab, name) {
        // Once all has become of the answer: what it brings is shown first, and a question waits.
        const onAnswer = answer => setTimeout(() => afterSave(tab, name, answer));
        return {do: 'save', name, onAnswer};
    }

    /** Asks again where the server knows a preset of the same name; else the field is free again. */
    function afterSave(tab, name, answer) {
        if (!answer?.confirm) {
            const isSaved = answer && !answer.note?.failed;
            if (isSaved && nameField(tab).value === name) nameField(tab).value = '';
        } else if (window.confirm(texts.textOf(answer.confirm))) {
            request(tab, {...saving(tab, name), overwrite: true});
        }
    }

    function nameField(tab) {
        return element(tab, 'presets').querySelector('.fabric-name');
    }

    function nameOf(button) {
        return button.closest('[data-name]').dataset.name;
    }

    function rename(tab, name) {
        const newName = window.prompt(texts.translate('New name of the preset'), name);
        if (newName !== null && newName !== name) {
            newNames(tab).set(name, newName);
            request(tab, {do: 'rename', name: name, new_name: newName});
        }
    }

    function remove(tab, name) {
        const question = texts.translate('Delete this preset?');
        if (window.confirm(`${question}\n${name}`)) request(tab, {do: 'delete', name: name});
    }

    // ---- files ----------------------------------------------------------------------------------

    function bring(tab, files) {
        messages.begin(tab, 'import', files.length);
        for (const file of files) {
            const onEnd = answer => messages.end(tab, 'import', file.name, answer);
            pictures.send(tab, {do: 'import', name: file.name}, () => file, onEnd);
        }
    }

    /** Lets the browser save a file that came with an answer: {name, data in base64}. */
    function saveFile(file) {
        const bytes = Uint8Array.from(atob(file.data), each => each.charCodeAt(0));
        const address = URL.createObjectURL(new Blob([bytes]));
        const link = document.createElement('a');
        link.href = address;
        link.download = file.name;
        link.click();
        setTimeout(() => URL.revokeObjectURL(address), 60000);
    }

    function start() {
        const takeFile = answer => answer?.file && saveFile(answer.file);
        accordion.on('save', save);
        accordion.on('rename', (tab, button) => rename(tab, nameOf(button)));
        accordion.on('delete', (tab, button) => remove(tab, nameOf(button)));
        accordion.on('load', (tab, button) => request(tab, {do: 'load', name: nameOf(button)}));
        accordion.on('export', (tab, button) => {
            request(tab, {do: 'export', name: nameOf(button), onAnswer: takeFile});
        });
        accordion.on('import', tab => {
            pictures.choose('.zip', true, files => bring(tab, files));
        });
        for (const tab of tabs.all()) {
            element(tab, 'presets').addEventListener('keydown', event => {
                const isEnter = event.key === 'Enter' && !event.isComposing;
                if (isEnter && event.target.matches('.fabric-name')) save(tab);
            });
        }
    }

    return {start, newNameOf: (tab, name) => newNames(tab).get(name)};
};

// Owns: the tiles in the two lists. The page keeps them: an answer brings only those of what it has
// changed, and those that the page says it lacks.

(window.fabricParts ??= {}).tiles = ({tabs, presses}) => {
    // Which tiles this page has asked for.
    const missingOf = tabs.stateOf(() => ({asked: ''}));

    function tilesOf(tab) {
        return new Map(Array.from(
            tabs.element(tab, 'lists').querySelectorAll('.fabric-picture'),
            tile => [tile.dataset.id, tile]
        ));
    }

    function isWhole(tile) {
        return tile !== undefined && !tile.querySelector('.fabric-lost, img:not([src])');
    }

    function lackingIds(tab) {
        const tiles = tilesOf(tab);
        return tabs.LISTS.flatMap(list => tab.lists[list]).filter(id => !isWhole(tiles.get(id)));
    }

    /** Puts what is rated into the lists, newest first. */
    function showTiles(tab) {
        const tiles = tilesOf(tab);
        for (const [id, html] of Object.entries(tab.tiles)) tiles.set(id, made(html, tiles.get(id)));
        tab.tiles = {};
        for (const list of tabs.LISTS) {
            const ids = Array.from(tab.lists[list]).reverse();
            const column = tabs.element(tab, 'lists').querySelector(`.fabric-column[data-to=${list}]`);
            put(column.querySelector('.fabric-grid'), ids.map(id => tiles.get(id)).filter(Boolean));
            column.querySelector('.fabric-clear').hidden = !ids.length;
        }
        const isEmpty = tabs.LISTS.every(list => !tab.lists[list].length);
        tabs.element(tab, 'lists').querySelector('.fabric-empty').hidden = !isEmpty;
        askForMissing(tab, tiles);
    }

    /** A new tile, with the picture of the one that it replaces where it comes without. */
    function made(html, before) {
        const template = document.createElement('template');
        template.innerHTML = html;
        const tile = template.content.firstChild;
        const picture = before?.querySelector('img[src]');
        if (picture) tile.querySelector('img:not([src])')?.setAttribute('src', picture.src);
        return tile;
    }

    /** Touches only what is not in its place, so that focus and scrolling stay. */
    function put(grid, tiles) {
        Array.from(grid.children).filter(each => !tiles.includes(each)).forEach(each => each.remove());
        tiles.forEach((tile, at) => {
            if (grid.children[at] !== tile) grid.insertBefore(tile, grid.children[at] || null);
        });
    }

    /** Asks once for tiles that no answer has brought: those of lists that infotext has set. */
    function askForMissing(tab, tiles) {
        const isPending = presses.pending(tab).some(each => each.do !== 'tiles');
        const ids = tabs.LISTS.flatMap(list => tab.lists[list]);
        const missing = ids.filter(id => !tiles.has(id)).join(' ');
        if (isPending || missing === missingOf(tab).asked) return;
        missingOf(tab).asked = missing;
        if (missing) presses.request(tab, {do: 'tiles'});
    }

    return {start: () => presses.onChange(showTiles), lackingIds};
};
