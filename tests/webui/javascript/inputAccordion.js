// Ties the accordion and the hidden checkbox of an InputAccordion together.

function inputAccordionChecked(id, checked) {
    const accordion = gradioApp().getElementById(id);
    accordion.visibleCheckbox.checked = checked;
    accordion.onVisibleCheckboxChange();
}

function setupAccordion(accordion) {
    const label = accordion.querySelector('.label-wrap');
    const hidden = gradioApp().querySelector('#' + accordion.id + '-checkbox input');
    const extra = gradioApp().querySelector('#' + accordion.id + '-extra');
    const isOpen = () => label.classList.contains('open');
    // until the user clicks the box itself, being open and being checked are the same
    let linked = true;

    const box = document.createElement('input');
    box.type = 'checkbox';
    box.id = accordion.id + '-visible-checkbox';
    box.className = hidden.className + ' input-accordion-checkbox';
    box.checked = isOpen();
    accordion.visibleCheckbox = box;
    const span = label.querySelector('span');
    span.insertBefore(box, span.firstChild);
    if (extra) label.insertBefore(extra, label.lastElementChild);

    accordion.onChecked = (checked) => {
        if (isOpen() !== checked) label.click();
    };
    accordion.onVisibleCheckboxChange = () => {
        if (linked) accordion.onChecked(box.checked);
        hidden.checked = box.checked;
        updateInput(hidden);
    };
    box.addEventListener('click', (event) => {
        linked = false;
        event.stopPropagation();
    });
    box.addEventListener('input', accordion.onVisibleCheckboxChange);
    new MutationObserver(() => {
        accordion.classList.toggle('input-accordion-open', isOpen());
        if (linked) {
            box.checked = isOpen();
            accordion.onVisibleCheckboxChange();
        }
    }).observe(label, {attributes: true, attributeFilter: ['class']});
}

onUiLoaded(function() {
    gradioApp().querySelectorAll('.input-accordion').forEach(setupAccordion);
});
