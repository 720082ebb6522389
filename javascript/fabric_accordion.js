// The accordion of FABRIC: the two lists, the history and the presets. Everything in it is HTML
// that the server renders; a press is told by `data-do` of what was pressed.
/* global fabricUi */

Object.assign(fabricUi, (function() {
    const LISTS = ['liked', 'disliked'];
    const PANELS = ['history', 'presets'];
    const {element, request} = fabricUi;

    function watchAccordion(tab) {
        tab.history = {search: '', offset: 0};
        const lists = element(tab, 'lists');
        for (const name of ['lists', ...PANELS]) {
            const panel = element(tab, name);
            panel.addEventListener('click', event => {
                const button = event.target.closest('button[data-do]');
                if (button) press(tab, button);
            });
            panel.addEventListener('change', event => changed(tab, event.target));
            panel.addEventListener('keydown', event => {
                if (event.key === 'Enter' && event.target.matches('.fabric-name')) save(tab);
            });
        }
        for (const name of PANELS) {
            titleOf(tab, name).addEventListener('click', () => setTimeout(() => {
                if (isOpen(tab, name)) request(tab, {do: name});
            }));
        }
        for (const name of ['lists', 'history']) {
            const panel = element(tab, name);
            panel.addEventListener('dragstart', event => {
                const tile = event.target.closest('[data-id]');
                if (!tile) return;
                const what = name === 'lists' ? 'move' : 'activate';
                tab.dragged = {do: what, picture_id: tile.dataset.id};
            });
            panel.addEventListener('dragend', () => delete tab.dragged);
        }
        for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop']) {
            lists.addEventListener(kind, event => dragOverLists(tab, event));
        }
        tick(tab, '-visible-checkbox')?.addEventListener('click', event => {
            tab.switchedOff = !event.target.checked;
        });
        window.addEventListener('pagehide', () => rememberTick(tab));
    }

    function titleOf(tab, panel) {
        return element(tab, `${panel}_panel`).querySelector('.label-wrap');
    }

    function isOpen(tab, panel) {
        return titleOf(tab, panel).classList.contains('open');
    }

    /** What every action says of the history, so that the answer brings it along if it is open. */
    function historyView(tab) {
        return {shows_history: isOpen(tab, 'history'), ...tab.history};
    }

    // ---- presses --------------------------------------------------------------------------------

    function press(tab, button) {
        const {do: what, to} = button.dataset;
        const own = {
            choose: () => chooseFiles('image/*', true, files => addFiles(tab, to, files)),
            undo: () => fabricUi.undo(tab),
            newer: () => turn(tab, button, -1),
            older: () => turn(tab, button, 1),
            save: () => save(tab),
            import: () => chooseFiles('.zip', false, files => importPreset(tab, files[0])),
            rename: () => rename(tab, nameOf(button)),
            delete: () => remove(tab, nameOf(button)),
        }[what];
        if (own) {
            own();
        } else {
            const tile = button.closest('[data-id]');
            request(tab, {
                do: what, to, picture_id: tile ? tile.dataset.id : '', name: nameOf(button) || '',
            });
        }
    }

    function changed(tab, field) {
        if (field.dataset.do === 'weigh') {
            const weight = Math.min(2, Math.max(0, Number(field.value) || 0));
            const id = field.closest('[data-id]').dataset.id;
            request(tab, {do: 'weigh', picture_id: id, weight: weight});
        } else if (field.dataset.do === 'search') {
            tab.history = {search: field.value, offset: 0};
            request(tab, {do: 'history'});
            // The answer replaces the field; see refreshAccordion.
            tab.isSearching = true;
        }
    }

    function turn(tab, button, direction) {
        const {offset, size} = button.closest('[data-offset]').dataset;
        tab.history.offset = Math.max(0, Number(offset) + direction * Number(size));
        request(tab, {do: 'history'});
    }

    function showWaiting(tab) {
        const pending = [tab.current, ...tab.waiting].filter(Boolean);
        const panel = element(tab, 'lists');
        for (const list of LISTS) {
            const count = pending.filter(each => each.do === 'add' && each.to === list).length;
            const text = count ? `${fabricUi.translate('Adding pictures:')} ${count}` : '';
            panel.toggleAttribute(`data-fabric-adding-${list}`, count > 0);
            panel.style.setProperty(`--fabric-adding-${list}`, JSON.stringify(text));
        }
        const isBusy = pending.some(each => each.do === 'import' || each.do === 'export');
        element(tab, 'presets').toggleAttribute('data-fabric-busy', isBusy);
    }

    /** Keeps right what the server does not know when it renders: undo, marks, the cursor. */
    function refreshAccordion(tab) {
        element(tab, 'lists').toggleAttribute('data-fabric-can-undo', tab.past.length > 0);
        for (const tile of element(tab, 'history').querySelectorAll('[data-id]')) {
            const mark = LISTS.find(list => tab.lists[list].includes(tile.dataset.id)) || '';
            fabricUi.setMark(tile, mark);
            for (const list of LISTS) {
                const use = tile.querySelector(`.fabric-use-${list}`);
                const isPressed = String(mark === list);
                if (use.getAttribute('aria-pressed') !== isPressed) {
                    use.setAttribute('aria-pressed', isPressed);
                }
            }
        }
        if (tab.isSearching && !tab.current) {
            tab.isSearching = false;
            const field = element(tab, 'history').querySelector('.fabric-search');
            field?.focus();
            field?.setSelectionRange(field.value.length, field.value.length);
        }
    }

    // ---- presets --------------------------------------------------------------------------------

    function nameOf(button) {
        return button.closest('[data-name]')?.dataset.name;
    }

    function namesShown(tab) {
        const rows = element(tab, 'presets').querySelectorAll('[data-name]');
        return Array.from(rows, each => each.dataset.name.toLowerCase());
    }

    function save(tab) {
        const name = element(tab, 'presets').querySelector('.fabric-name').value.trim();
        const isTaken = namesShown(tab).includes(name.toLowerCase());
        const question = fabricUi.translate('Replace the preset of this name?');
        if (isTaken && !window.confirm(`${question}\n${name}`)) return;
        request(tab, {do: 'save', name: name, overwrite: isTaken});
    }

    function rename(tab, name) {
        const newName = window.prompt(fabricUi.translate('New name of the preset'), name);
        if (newName !== null && newName !== name) {
            request(tab, {do: 'rename', name: name, new_name: newName});
        }
    }

    function remove(tab, name) {
        const question = fabricUi.translate('Delete this preset?');
        if (window.confirm(`${question}\n${name}`)) request(tab, {do: 'delete', name: name});
    }

    async function importPreset(tab, file) {
        const parts = await fabricUi.readParts(file);
        parts.forEach((data, part) => {
            request(tab, {do: 'import', part: part, parts: parts.length, data: data});
        });
    }

    // ---- own pictures ---------------------------------------------------------------------------

    function chooseFiles(accept, multiple, take) {
        const input = document.createElement('input');
        input.type = 'file';
        input.multiple = multiple;
        input.accept = accept;
        input.addEventListener('change', () => take(Array.from(input.files)));
        input.click();
    }

    function addFiles(tab, list, files) {
        for (const file of files) request(tab, {do: 'add', to: list, name: file.name, file: file});
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
            drop(tab, column.dataset.to);
        } else {
            addFiles(tab, column.dataset.to, Array.from(event.dataTransfer.files));
        }
    }

    function drop(tab, list) {
        const {do: what, picture_id: id} = tab.dragged;
        // Pressed twice, 'activate' takes a picture out; dropped twice, it stays.
        if (what === 'activate' && tab.lists[list].includes(id)) return;
        request(tab, {...tab.dragged, to: list});
    }

    // ---- what outlasts the page -----------------------------------------------------------------

    function tick(tab, end) {
        return gradioApp().querySelector(`#${tab.name}_fabric_accordion${end}`);
    }

    function rememberTick(tab) {
        const box = tick(tab, '-checkbox input');
        if (box) fabricUi.keep(`fabric-on-${tab.name}`, box.checked ? '1' : '');
    }

    function wasOn(tab) {
        return fabricUi.kept(`fabric-on-${tab.name}`) === '1';
    }

    return {watchAccordion, refreshAccordion, showWaiting, historyView, wasOn};
})());
